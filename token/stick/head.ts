/**
 * The head of a stick's hidden part: signed by the issuer, readable without a password. It names the
 * stick, carries the profile's own head, and has a check code for everything that is sealed, so that
 * damage is found before a password is asked for and never taken for a wrong one.
 *
 *     "SKST"  version  length  signed head (compact JWS)  SHA-256 of all before
 *       4        1       4              …                       32
 */
import { sha256 } from "@noble/hashes/sha2.js";
import * as v from "valibot";
import { concat } from "../apdu/tlv.ts";
import { type IssuerSigner, signJson, verifyJson } from "../profile/jws.ts";
import { LARGEST_CONTAINER, LONGEST_HEAD } from "../profile/limits.ts";
import type { IssuerKey } from "../profile/types.ts";
import type { StickFault } from "./fault.ts";
import { LARGEST_PROGRAM, LONGEST_STICK_HEAD } from "./layout.ts";

const MAGIC = new TextEncoder().encode("SKST");
const VERSION = 1;
const FIXED = 9;
const CHECK = 32;
const LONGEST_KEY = 4096;
const LONGEST_PROGRAM_HEAD = 4096;

const digest = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));
const length = (most: number) => v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(most));
const piece = (most: number) => v.strictObject({ length: length(most), digest });

const HeadSchema = v.strictObject({
  v: v.literal(VERSION),
  /** 16 bytes in hexadecimal, new with each formatting. */
  stick: v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/)),
  /** Unix seconds. */
  madeAt: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  /** The profile's own signed head. */
  profileHead: v.pipe(v.string(), v.maxLength(LONGEST_HEAD)),
  key: piece(LONGEST_KEY),
  profile: piece(LARGEST_CONTAINER),
  program: v.strictObject({
    /** Of the program that made the stick. */
    version: v.pipe(v.string(), v.maxLength(64)),
    sealedLength: length(LARGEST_PROGRAM),
    /** The age header; each chunk after it has its own check (AEAD). */
    head: piece(LONGEST_PROGRAM_HEAD),
    /** What is run. */
    plain: piece(LARGEST_PROGRAM),
  }),
});

/** What a stick's head says. Digests are SHA-256 in hexadecimal. */
export type StickHead = v.InferOutput<typeof HeadSchema>;

/** A piece of the hidden part, and its check code. */
export type Piece = StickHead["key"];

/** The card id that a stick's profile is bound to. */
export function cardIdOf(stick: string): string {
  return `stick:${stick}`;
}

/** The check code of some bytes. */
export function pieceOf(bytes: Uint8Array): Piece {
  return { length: bytes.length, digest: sha256(bytes).toHex() };
}

/** Whether these bytes are what the issuer signed for. */
export function isPiece(bytes: Uint8Array, expected: Piece): boolean {
  return bytes.length === expected.length && sha256(bytes).toHex() === expected.digest;
}

/** Signs and frames a head. */
export async function encodeStickHead(
  head: Omit<StickHead, "v">,
  issuer: IssuerSigner,
): Promise<Uint8Array> {
  const jws = await signJson({ v: VERSION, ...head }, { kind: "sekisho-stick", issuer });
  const fixed = new Uint8Array(FIXED);
  fixed.set(MAGIC);
  fixed[4] = VERSION;
  new DataView(fixed.buffer).setUint32(5, jws.length);
  const body = concat(fixed, jws);
  const framed = concat(body, sha256(body));
  if (framed.length > LONGEST_STICK_HEAD) {
    throw new RangeError(`Cannot write the stick's head: ${framed.length} bytes`);
  }
  return framed;
}

/** Reads the hidden part's first bytes. */
export async function decodeStickHead(
  bytes: Uint8Array,
  issuerKeys: readonly IssuerKey[],
): Promise<{ head: StickHead; issuer: IssuerKey } | StickFault> {
  const damaged: StickFault = { fault: "head-damaged" };
  if (bytes.length < FIXED || MAGIC.some((byte, at) => bytes[at] !== byte)) return damaged;
  const version = bytes[4] ?? 0;
  if (version > VERSION) return { fault: "newer-version" };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const end = FIXED + view.getUint32(5);
  if (version !== VERSION || end + CHECK > Math.min(bytes.length, LONGEST_STICK_HEAD)) {
    return damaged;
  }
  const check = sha256(bytes.subarray(0, end));
  if (check.some((byte, at) => bytes[end + at] !== byte)) return damaged;
  const verified = await verifyJson(bytes.subarray(FIXED, end), {
    kind: "sekisho-stick",
    issuerKeys,
    longest: LONGEST_STICK_HEAD,
  });
  // The frame is whole: what isn't signed well now was put there.
  if (typeof verified === "string") return { fault: "forged" };
  const parsed = v.safeParse(HeadSchema, verified.value);
  return parsed.success ? { head: parsed.output, issuer: verified.issuer } : damaged;
}
