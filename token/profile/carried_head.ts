/**
 * The head's object on a card.
 * @core
 *
 *     "SKSH"  version  sequence  chunks  length  digest of the sealed bytes  signed head  checksum
 *       4        1        4        1       4                32                    …           8
 *
 * Numbers are big-endian. The checksum (SHA-256, cut) finds torn writes; it proves nothing.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { concat } from "../apdu/tlv.ts";
import { LARGEST_CONTAINER, LONGEST_HEAD, MOST_CHUNKS } from "./limits.ts";
import type { CarriedHead } from "./types.ts";

const MAGIC = new TextEncoder().encode("SKSH");
const VERSION = 1;
const FIXED = 4 + 1 + 4 + 1 + 4 + 32;
const CHECKSUM = 8;

/** A head with the last number could never be followed by another: it doesn't count. */
const HIGHEST_SEQUENCE = 0xffff_fffe;

/** Writes the object. */
export function encodeCarried(carried: CarriedHead): Uint8Array {
  const fixed = new Uint8Array(FIXED);
  const view = new DataView(fixed.buffer);
  fixed.set(MAGIC);
  fixed[4] = VERSION;
  view.setUint32(5, carried.sequence);
  fixed[9] = carried.chunks;
  view.setUint32(10, carried.sealedLength);
  fixed.set(carried.sealedDigest, 14);
  const body = concat(fixed, carried.head);
  return concat(body, sha256(body).subarray(0, CHECKSUM));
}

/** Reads the object, or says what is wrong with it. */
export function decodeCarried(
  bytes: Uint8Array,
  bank: 0 | 1,
): CarriedHead | "damaged" | "newer-version" {
  if (bytes.length < 5 || MAGIC.some((byte, index) => bytes[index] !== byte)) return "damaged";
  const version = bytes[4] ?? 0;
  if (version > VERSION) return "newer-version";
  const end = bytes.length - CHECKSUM;
  if (version !== VERSION || end <= FIXED || end - FIXED > LONGEST_HEAD) return "damaged";
  const checksum = sha256(bytes.subarray(0, end)).subarray(0, CHECKSUM);
  if (checksum.some((byte, index) => bytes[end + index] !== byte)) return "damaged";
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const carried: CarriedHead = {
    bank,
    sequence: view.getUint32(5),
    chunks: view.getUint8(9),
    sealedLength: view.getUint32(10),
    sealedDigest: bytes.slice(14, FIXED),
    head: bytes.slice(FIXED, end),
  };
  const isSane = carried.sequence <= HIGHEST_SEQUENCE && carried.chunks >= 1 &&
    carried.chunks <= MOST_CHUNKS && carried.sealedLength >= 1 &&
    carried.sealedLength <= LARGEST_CONTAINER;
  return isSane ? carried : "damaged";
}
