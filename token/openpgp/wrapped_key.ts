/**
 * A key wrapped to a card's X25519 decryption key, small enough for a private data object: what it
 * opens lies elsewhere, and neither is worth anything alone.
 *
 *     "SKWK"  version  ephemeral point  ChaCha20-Poly1305 of the key
 *       4        1           32               length + 16
 *
 * The wrapping key is HKDF-SHA256(X25519, salt = ephemeral || recipient, info); it is used once, so
 * the nonce is zero. The head is bound as associated data.
 */
import { chacha20poly1305 } from "@noble/ciphers/chacha.js";
import { x25519 } from "@noble/curves/ed25519.js";
import { hkdf } from "@noble/hashes/hkdf.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { concat } from "../apdu/tlv.ts";
import type { OpenPgpClient } from "./client.ts";
import { WRAPPED_KEY, WRAPPING } from "./limits.ts";

const MAGIC = new TextEncoder().encode("SKWK");
const VERSION = 1;
const { head: HEAD, tag: TAG } = WRAPPING;
const INFO = new TextEncoder().encode("sekisho openpgp wrapped key");
const NONCE = new Uint8Array(12);

/** Why a wrapped key did not open. */
export type UnwrapFault = "malformed" | "newer-version" | "other-card";

/**
 * Wraps a key. `ephemeral`: 32 random bytes, used once, wiped here.
 * @throws {RangeError} when the recipient is no point or a length is wrong.
 */
export function wrapKey(
  key: Uint8Array,
  to: { recipient: Uint8Array; ephemeral: Uint8Array },
): Uint8Array {
  const { recipient, ephemeral } = to;
  const isKey = key.length >= WRAPPED_KEY.shortest && key.length <= WRAPPED_KEY.longest;
  if (!isKey || recipient.length !== 32 || ephemeral.length !== 32) {
    throw new RangeError(`Cannot wrap a key of ${key.length} bytes`);
  }
  try {
    const point = x25519.getPublicKey(ephemeral);
    const head = concat(MAGIC, Uint8Array.of(VERSION), point);
    const wrapping = wrappingKey(sharedWith(ephemeral, recipient), { point, recipient });
    const body = chacha20poly1305(wrapping, NONCE, head).encrypt(key);
    wrapping.fill(0);
    return concat(head, body);
  } finally {
    ephemeral.fill(0);
  }
}

/** Whether these bytes say that they are a wrapped key. */
export function isWrappedKey(bytes: Uint8Array): boolean {
  return MAGIC.every((byte, index) => bytes[index] === byte);
}

/** Opens a wrapped key on the card, whose PW1 (82) must be verified; the caller wipes the key. */
export async function unwrapKey(
  card: Pick<OpenPgpClient, "agree">,
  wrapped: { bytes: Uint8Array; recipient: Uint8Array },
): Promise<{ key: Uint8Array } | UnwrapFault> {
  const { bytes, recipient } = wrapped;
  if (!isWrappedKey(bytes)) return "malformed";
  const version = bytes[MAGIC.length] ?? 0;
  if (version > VERSION) return "newer-version";
  const length = bytes.length - HEAD - TAG;
  if (version !== VERSION || length < WRAPPED_KEY.shortest || length > WRAPPED_KEY.longest) {
    return "malformed";
  }
  const head = bytes.subarray(0, HEAD);
  const point = bytes.subarray(MAGIC.length + 1, HEAD);
  const shared = await card.agree({ peer: point });
  const wrapping = wrappingKey(shared, { point, recipient });
  try {
    return { key: chacha20poly1305(wrapping, NONCE, head).decrypt(bytes.subarray(HEAD)) };
  } catch {
    return "other-card";
  } finally {
    wrapping.fill(0);
  }
}

function sharedWith(secret: Uint8Array, recipient: Uint8Array): Uint8Array {
  try {
    return x25519.getSharedSecret(secret, recipient);
  } catch {
    throw new RangeError("Cannot wrap a key: the card's key is no X25519 point");
  }
}

/** Wipes `shared`. */
function wrappingKey(
  shared: Uint8Array,
  { point, recipient }: { point: Uint8Array; recipient: Uint8Array },
): Uint8Array {
  const key = hkdf(sha256, shared, concat(point, recipient), INFO, 32);
  shared.fill(0);
  return key;
}
