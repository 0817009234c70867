/** What must be nowhere once the card is out. */
import { keysIn, type Needle, readSecretMemory } from "../lab/memory_search.ts";
import type { Card } from "./card.ts";

export interface Secret extends Needle {
  readonly kind: "private key" | "preshared key" | "file key" | "PIN" | "session keys";
  /** Whether the engine must hold it in this form while the card is in. */
  readonly heldByEngine: boolean;
}

/** What whoever issued the card knows: in the forms in which programs keep them. */
export function secretsOf(card: Card): Secret[] {
  const pin = new TextEncoder().encode(card.pin);
  const padded = new Uint8Array(8).fill(0xff);
  padded.set(pin);
  return [
    { kind: "PIN", name: "PIN", bytes: pin, heldByEngine: true },
    // As VERIFY carries it (SP 800-73-4 part 2 section 3.2.1).
    ...(pin.length < 8
      ? [{ kind: "PIN", name: "PIN in its block", bytes: padded, heldByEngine: false } as const]
      : []),
    ...keyForms("private key", card.privateKey),
    ...keyForms("preshared key", card.presharedKey),
    { kind: "file key", name: "file key", bytes: card.fileKey, heldByEngine: true },
  ];
}

/**
 * Whatever looks like a key in the engine's locked memory now and isn't one of `known`: its session
 * keys. They change while we look, so none of them must be held for ever.
 */
export function sessionKeysOf(engine: number, known: readonly Secret[]): Secret[] {
  const knownBytes = known.map((secret) => secret.bytes.toHex());
  return keysIn(readSecretMemory(engine))
    .filter((needle) => !knownBytes.some((bytes) => overlaps(needle.bytes.toHex(), bytes)))
    .map((needle) => ({ ...needle, kind: "session keys", heldByEngine: false }));
}

/** Whether half of a needle belongs to a known secret: then it is a window on that one's edge. */
function overlaps(needle: string, known: string): boolean {
  const half = needle.length / 2;
  return known.includes(needle.slice(0, half)) || known.includes(needle.slice(half));
}

function keyForms(
  kind: "private key" | "preshared key",
  bytes: Uint8Array | undefined,
): Secret[] {
  if (bytes === undefined) return [];
  const text = (form: string) => new TextEncoder().encode(form);
  return [
    { kind, name: kind, bytes, heldByEngine: true },
    { kind, name: `${kind} in base64`, bytes: text(bytes.toBase64()), heldByEngine: false },
    { kind, name: `${kind} in hexadecimal`, bytes: text(bytes.toHex()), heldByEngine: false },
  ];
}
