/** A state in, a file's bytes out; any bytes in, a state or what is wrong with them out. @core */
import { Buffer } from "node:buffer";
import { sha256 } from "@noble/hashes/sha2.js";
import * as v from "valibot";
import { PIV_ALGORITHM } from "../piv/constants.ts";
import type { CardState, Reference } from "./state.ts";

/** Version of the file's form. A newer program reads older versions; an older one refuses newer. */
const VERSION = 1;
const MAGIC = "sekisho-softcard";

/** Why a file's content is no card's state. */
export type StateDamage =
  | { readonly kind: "not-a-card" }
  | { readonly kind: "damaged" }
  | { readonly kind: "newer"; readonly version: number };

/**
 * The state as a file: one line of name, version and SHA-256 of what follows, then JSON with byte
 * strings in base64. The sum is against cut and damaged files, not against forgers: PINs guard keys.
 */
export function encodeState(state: CardState): Uint8Array {
  const { piv } = state;
  const body = JSON.stringify({
    serial: state.serial,
    piv: {
      objects: [...piv.objects].map(([tag, one]) => ({ tag, ...one, bytes: base64(one.bytes) })),
      keys: [...piv.keys].map(([slot, key]) => ({
        slot,
        ...key,
        publicKey: base64(key.publicKey),
        secret: base64(key.secret),
      })),
      pin: reference(piv.pin),
      puk: reference(piv.puk),
      ...(piv.global === undefined ? {} : { global: reference(piv.global) }),
      management: { ...piv.management, bytes: base64(piv.management.bytes) },
      vault: base64(piv.vault),
    },
  });
  const bytes = new TextEncoder().encode(body);
  const sum = Buffer.from(sha256(bytes)).toString("hex");
  return Buffer.concat([Buffer.from(`${MAGIC} ${VERSION} ${sum}\n`), bytes]);
}

/** Reads a state back, or tells what is wrong with it. Never throws on any bytes. */
export function decodeState(file: Uint8Array): CardState | StateDamage {
  const end = file.indexOf(0x0a);
  const line = Buffer.from(file.subarray(0, end === -1 ? file.length : end)).toString("latin1");
  const match = /^sekisho-softcard (\d{1,9}) ([0-9a-f]{64})$/.exec(line);
  if (match === null) return { kind: line.startsWith(MAGIC) ? "damaged" : "not-a-card" };
  const version = Number(match[1]);
  if (version > VERSION) return { kind: "newer", version };
  const body = file.subarray(end + 1);
  if (Buffer.from(sha256(body)).toString("hex") !== match[2]) return { kind: "damaged" };
  try {
    const parsed = v.safeParse(STATE, JSON.parse(new TextDecoder().decode(body)));
    return parsed.success ? fromFile(parsed.output) : { kind: "damaged" };
  } catch {
    return { kind: "damaged" };
  }
}

/** Tells a damage report from a state. */
export function isDamage(read: CardState | StateDamage): read is StateDamage {
  return "kind" in read;
}

function reference(one: Reference): Record<string, unknown> {
  return { ...one, salt: base64(one.salt), wrapped: base64(one.wrapped) };
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}

const BYTES = v.pipe(
  v.string(),
  v.base64(),
  v.transform((text) => new Uint8Array(Buffer.from(text, "base64"))),
);
const COUNT = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(15));
const COST = v.object({
  N: v.pipe(v.number(), v.integer(), v.maxValue(1 << 20)),
  r: v.pipe(v.number(), v.integer(), v.maxValue(32)),
  p: v.pipe(v.number(), v.integer(), v.maxValue(4)),
});
const REFERENCE = v.object({
  triesLeft: COUNT,
  tries: COUNT,
  isDefault: v.boolean(),
  salt: BYTES,
  cost: COST,
  wrapped: BYTES,
});
const STATE = v.object({
  serial: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(0xffffffff)),
  piv: v.object({
    objects: v.array(v.object({ tag: v.number(), sealed: v.boolean(), bytes: BYTES })),
    keys: v.array(v.object({
      slot: v.number(),
      algorithm: v.picklist(Object.values(PIV_ALGORITHM)),
      pinPolicy: v.picklist([1, 2, 3] as const),
      origin: v.picklist(["generated", "imported"] as const),
      publicKey: BYTES,
      sealed: v.boolean(),
      secret: BYTES,
    })),
    pin: REFERENCE,
    puk: REFERENCE,
    global: v.exactOptional(REFERENCE),
    management: v.object({
      algorithm: v.picklist(["3DES", "AES-128", "AES-192", "AES-256"] as const),
      isDefault: v.boolean(),
      bytes: BYTES,
    }),
    vault: BYTES,
  }),
});

function fromFile(file: v.InferOutput<typeof STATE>): CardState {
  return {
    serial: file.serial,
    piv: {
      ...file.piv,
      objects: new Map(file.piv.objects.map(({ tag, ...one }) => [tag, one])),
      keys: new Map(file.piv.keys.map(({ slot, ...key }) => [slot, key])),
    },
  };
}
