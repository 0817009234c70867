/** What a stick may hold where a program reads it: tables, heads, sealed chunks. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createPrivateKey } from "node:crypto";
import { chacha20poly1305 } from "@noble/ciphers/chacha.js";
import { hkdf } from "@noble/hashes/hkdf.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { readIssuerKey } from "../../token/profile/issuer_key.ts";
import { signJson } from "../../token/profile/jws.ts";
import { planFat, SMALLEST_FAT } from "../../token/stick/fat.ts";
import { decodeStickHead, pieceOf } from "../../token/stick/head.ts";
import { HIDDEN_BYTES, LONGEST_STICK_HEAD } from "../../token/stick/layout.ts";
import {
  BACK_SECTORS,
  decodeTable,
  encodeTable,
  FRONT_SECTORS,
  SECTOR,
  TYPE_HIDDEN,
  TYPE_VISIBLE,
} from "../../token/stick/partition.ts";
import { openPayload } from "../../token/stick/stream.ts";
import type { FuzzTarget } from "./target.ts";

const SECTORS = 4096;
const ID = "01234567-89ab-cdef-0123-456789abcdef";
const TABLE = encodeTable([
  { type: TYPE_VISIBLE, id: ID, firstSector: 64, sectors: 900, name: "visible" },
  { type: TYPE_HIDDEN, id: ID, firstSector: 1024, sectors: 2048, name: "hidden" },
], { sectors: SECTORS, id: ID });

/**
 * Changes of a good table: two bytes of place, one of value each; the first byte says which copy,
 * and whether its checksums are made good again, as whoever forges one would.
 */
const tables: FuzzTarget = {
  name: "stick_tables",
  seeds: [
    [0],
    [0, 2, 0, 1],
    [1, 2, 16, 9, 2, 72, 3],
    [2, 4, 0x20, 0xff],
    [3, 4, 0x28, 0xff, 4, 0x2f, 0x7f],
    [2, 4, 0x80, 0],
    [3, 2, 80, 0xff],
  ].map((bytes) => Uint8Array.from(bytes)),
  run(input) {
    const mode = input[0] ?? 0;
    const image = { front: TABLE.front.slice(), back: TABLE.back.slice() };
    for (let at = 1; at + 2 < input.length; at += 3) {
      const place = (input[at] ?? 0) << 8 | (input[at + 1] ?? 0);
      const value = input[at + 2] ?? 0;
      if ((mode & 1) === 0) image.front[place % image.front.length] = value;
      else image.back[place % image.back.length] = value;
    }
    if ((mode & 2) !== 0) repair(image);
    if ((mode & 4) !== 0) (mode & 1) === 0 ? image.back.fill(0) : image.front.fill(0);
    const read = decodeTable(image, SECTORS);
    if (read.result !== "ok") return `${mode & 7} ${read.result}`;
    for (const { firstSector, sectors, type, id, name } of read.partitions) {
      assert.ok(firstSector >= FRONT_SECTORS && sectors >= 1);
      assert.ok(firstSector + sectors <= SECTORS - BACK_SECTORS, "within the disk");
      assert.match(type + id, /^[0-9a-f-]{72}$/);
      assert.ok(name.length <= 36);
    }
    const kinds = read.partitions.map(({ type }) => type === TYPE_HIDDEN ? "hidden" : "other");
    return `${mode & 7} ${read.damaged ?? "whole"} ${kinds.slice(0, 4)}`;
  },
};

const KEY = new Uint8Array(16).fill(7);
const PLAIN = new Uint8Array(130_000).map((_, at) => at >> 4);
const PAYLOAD = seal();
const CHUNK = (64 << 10) + 16;

/** The first byte says what is done to a good payload; the rest with what. */
const chunks: FuzzTarget = {
  name: "stick_chunks",
  seeds: [[0], [1, 0, 20], [2, 0, 0, 5], [3, 0, 1], [4, 1, 0, 9], [5, 1, 2, 3], [3, 0x1f, 0xff]]
    .map(
      (bytes) => Uint8Array.from(bytes),
    ),
  run(input) {
    const mode = (input[0] ?? 0) % 6;
    const place = ((input[1] ?? 0) << 16 | (input[2] ?? 0) << 8 | (input[3] ?? 0)) % PAYLOAD.length;
    const payload = changed(mode, place, input.subarray(1));
    const opened = openPayload(payload, KEY);
    if ("plaintext" in opened) {
      // Whatever was done: only what was sealed comes out, all of it.
      assert.equal(opened.plaintext.length, PLAIN.length);
      assert.ok(opened.plaintext.every((byte, at) => byte === PLAIN[at]));
      return `${mode} whole`;
    }
    const { chunk, chunks } = opened;
    assert.ok(chunk >= 0 && chunk <= chunks && chunks <= Math.ceil(payload.length / CHUNK) + 1);
    if (mode === 1 && place >= 16) assert.equal(chunk, Math.floor((place - 16) / CHUNK) + 1);
    return `${mode} ${chunk} of ${chunks}`;
  },
};

function changed(mode: number, place: number, rest: Uint8Array): Uint8Array {
  const copy = PAYLOAD.slice();
  switch (mode) {
    case 1:
      copy[place] = (copy[place] ?? 0) ^ 1;
      return copy;
    case 2:
      return copy.subarray(0, place);
    case 3: // a chunk taken out, or two changed over
      return Uint8Array.from([...copy.subarray(0, 16), ...copy.subarray(16 + CHUNK)]);
    case 4:
      // The end of the second one in the place of the first one's begin, or over itself.
      copy.copyWithin(16 + (place % 2) * CHUNK, 16 + CHUNK);
      return copy;
    case 5:
      return rest;
    default:
      return copy;
  }
}

/** By the specification, not by our own reader. */
function seal(): Uint8Array {
  const nonce = new Uint8Array(16).fill(3);
  const key = hkdf(sha256, KEY, nonce, new TextEncoder().encode("payload"), 32);
  const parts = [...nonce];
  const size = 64 << 10;
  const count = Math.ceil(PLAIN.length / size);
  for (let index = 0; index < count; index++) {
    const counter = new Uint8Array(12);
    counter[10] = index;
    counter[11] = index === count - 1 ? 1 : 0;
    const plain = PLAIN.subarray(index * size, (index + 1) * size);
    parts.push(...chacha20poly1305(key, counter).encrypt(plain));
  }
  return Uint8Array.from(parts);
}

/** Names and lengths of files, and a volume: what is planned lies apart and within. */
const volumes: FuzzTarget = {
  name: "stick_volumes",
  seeds: [[0, 1, 65], [1, 200, 66, 200, 67], [2, 0, 68], [3, 255, 69, 1, 70, 9, 71]].map((bytes) =>
    Uint8Array.from(bytes)
  ),
  run(input) {
    const bytes = SMALLEST_FAT + (((input[0] ?? 0) % 64) << 22);
    const files: { name: string; length: number }[] = [];
    for (let at = 1; at + 1 < input.length && files.length < 40; at += 2) {
      const length = (input[at] ?? 0) << (at % 17);
      files.push({ name: `f${files.length}${"x".repeat((input[at + 1] ?? 0) % 60)}.txt`, length });
    }
    const volume = { bytes, firstSector: 2048, label: "TEST", serial: 1, modified: new Date(0) };
    let plan;
    try {
      plan = planFat(volume, files);
    } catch (error) {
      assert.ok(error instanceof RangeError);
      return `refused ${error.message.slice(0, 22)}`;
    }
    const taken = plan.files.map(({ at }, index) => ({ at, end: at + (files[index]?.length ?? 0) }))
      .filter(({ at, end }) => end > at).sort((a, b) => a.at - b.at);
    let free = plan.metadataBytes;
    for (const { at, end } of taken) {
      assert.ok(at >= free && at % SECTOR === 0 && end <= bytes);
      free = end;
    }
    for (const { at, bytes: piece } of plan.pieces) {
      assert.ok(at + piece.length <= plan.metadataBytes);
    }
    return `${Math.min(8, taken.length)} files ${plan.metadataBytes >> 20}`;
  },
};

/** Makes both checksums of each copy good (UEFI 2.10, section 5.3.2). */
function repair(image: { front: Uint8Array; back: Uint8Array }): void {
  const copies = [
    {
      header: image.front.subarray(SECTOR),
      entries: image.front.subarray(2 * SECTOR, 34 * SECTOR),
    },
    { header: image.back.subarray(32 * SECTOR), entries: image.back.subarray(0, 32 * SECTOR) },
  ];
  for (const { header, entries } of copies) {
    const view = new DataView(header.buffer, header.byteOffset, SECTOR);
    view.setUint32(88, crc(entries), true);
    view.setUint32(16, 0, true);
    view.setUint32(16, crc(header.subarray(0, 92)), true);
  }
}

/** CRC-32 as the table has it, bit by bit. */
function crc(bytes: Uint8Array): number {
  let sum = 0xffff_ffff;
  for (const byte of bytes) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit++) sum = sum >>> 1 ^ ((sum & 1) === 1 ? 0xedb8_8320 : 0);
  }
  return (sum ^ 0xffff_ffff) >>> 0;
}

/** Ed25519's first test key (RFC 8032, section 7.1): every run signs alike. */
const SIGNER = await readIssuerKey(
  createPrivateKey({
    key: Buffer.from(
      "302e020100300506032b6570042204209d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
      "hex",
    ),
    format: "der",
    type: "pkcs8",
  }).export({ format: "pem", type: "pkcs8" }).toString(),
);

const HEAD = {
  v: 1,
  stick: "00112233445566778899aabbccddeeff",
  madeAt: 1_800_000_000,
  profileHead: "a.b.c",
  key: pieceOf(KEY),
  profile: pieceOf(KEY),
  program: { version: "1", sealedLength: 100, head: pieceOf(KEY), plain: pieceOf(KEY) },
};

/** The first byte: 0, a frame as it stands; 1, a payload that the issuer signs; 2, a JWS in a good frame. */
const heads: FuzzTarget = {
  name: "stick_heads",
  seeds: [
    [1, JSON.stringify(HEAD)],
    [1, JSON.stringify({ ...HEAD, v: 2 })],
    [1, JSON.stringify({ ...HEAD, more: 1 })],
    [1, "[]"],
    [2, "a.b.c"],
    [0, "SKST\x01\x00\x00\x00\x05a.b.c"],
    [0, "SKST\x02"],
    [0, "SKST"],
  ].map(([mode, text]) => Uint8Array.from([Number(mode), ...new TextEncoder().encode(`${text}`)])),
  async run(input) {
    assert.ok(SIGNER);
    const mode = (input[0] ?? 0) % 3;
    const rest = input.subarray(1);
    const bytes = mode === 0 ? rest : framed(mode === 1 ? await signed(rest) : rest);
    const decoded = await decodeStickHead(bytes, [SIGNER.publicKey]);
    if ("fault" in decoded) return `${mode} ${decoded.fault}`;
    const { head } = decoded;
    assert.match(head.stick, /^[0-9a-f]{32}$/);
    for (const { length } of [head.key, head.profile, head.program.head, head.program.plain]) {
      assert.ok(
        length >= 1 && length < HIDDEN_BYTES,
        "nothing larger than the hidden part is read",
      );
    }
    return `${mode} taken`;
  },
};

/** Whatever the issuer signs; what isn't JSON is signed as a text. */
async function signed(payload: Uint8Array): Promise<Uint8Array> {
  assert.ok(SIGNER);
  const text = new TextDecoder().decode(payload);
  let value: unknown = text;
  try {
    value = JSON.parse(text);
  } catch {
    // A text it is.
  }
  return await signJson(value, { kind: "sekisho-stick", issuer: SIGNER });
}

function framed(jws: Uint8Array): Uint8Array {
  const body = new Uint8Array(9 + jws.length);
  body.set(new TextEncoder().encode("SKST\x01"));
  new DataView(body.buffer).setUint32(5, jws.length);
  body.set(jws, 9);
  const whole = new Uint8Array(Math.max(body.length + 32, LONGEST_STICK_HEAD));
  whole.set(body);
  whole.set(sha256(body), body.length);
  return whole;
}

export const stickTargets: readonly FuzzTarget[] = [tables, chunks, volumes, heads];
