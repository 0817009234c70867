/** A state in, a file's bytes out; any bytes in, a state or what is wrong with them out. @core */
import { Buffer } from "node:buffer";
import { sha256 } from "@noble/hashes/sha2.js";
import * as v from "valibot";
import { equalBytes } from "../constant_time.ts";
import { PIV_ALGORITHM } from "../piv/constants.ts";
import { base64, BYTES, REFERENCE, referenceToFile } from "./codec_fields.ts";
import { OPENPGP_FILE, openPgpFromFile, openPgpToFile } from "./openpgp/codec.ts";
import type { CardState } from "./state.ts";
import { PURSE_FILE, purseToFile } from "./stored_value/codec.ts";

/**
 * Version of the file's form. A newer program reads older versions; an older one refuses newer.
 * Version 1 had the PIV application only.
 */
const VERSION = 2;
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
      pin: referenceToFile(piv.pin),
      puk: referenceToFile(piv.puk),
      ...(piv.global === undefined ? {} : { global: referenceToFile(piv.global) }),
      management: { ...piv.management, bytes: base64(piv.management.bytes) },
      vault: base64(piv.vault),
    },
    ...(state.openPgp === undefined ? {} : { openPgp: openPgpToFile(state.openPgp) }),
    ...(state.purse === undefined ? {} : { purse: purseToFile(state.purse) }),
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
  const sum = new Uint8Array(Buffer.from(match[2] ?? "", "hex"));
  if (!equalBytes(sha256(body), sum)) return { kind: "damaged" };
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
  openPgp: v.exactOptional(OPENPGP_FILE),
  purse: v.exactOptional(PURSE_FILE),
});

function fromFile(file: v.InferOutput<typeof STATE>): CardState {
  const { openPgp, purse } = file;
  return {
    serial: file.serial,
    ...(openPgp === undefined ? {} : { openPgp: openPgpFromFile(openPgp) }),
    ...(purse === undefined ? {} : { purse }),
    piv: {
      ...file.piv,
      objects: new Map(file.piv.objects.map(({ tag, ...one }) => [tag, one])),
      keys: new Map(file.piv.keys.map(({ slot, ...key }) => [slot, key])),
    },
  };
}
