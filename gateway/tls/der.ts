/** Writes ASN.1 in DER: as much as a certificate needs. Source: ITU-T X.690. No I/O. */
import { Buffer } from "node:buffer";

export type Der = Uint8Array<ArrayBuffer>;

/** A tag, its length, its contents. */
export function element(tag: number, ...contents: readonly Uint8Array[]): Der {
  const body = Buffer.concat(contents);
  return Uint8Array.from(Buffer.concat([Uint8Array.of(tag), lengthOf(body.length), body]));
}

export const sequence = (...items: readonly Uint8Array[]): Der => element(0x30, ...items);
export const set = (...items: readonly Uint8Array[]): Der => element(0x31, ...items);
export const octetString = (bytes: Uint8Array): Der => element(0x04, bytes);
export const boolean = (value: boolean): Der => element(0x01, Uint8Array.of(value ? 0xff : 0));
export const utf8 = (text: string): Der => element(0x0c, new TextEncoder().encode(text));

/** A context-specific tag: primitive [n] for bytes, constructed [n] for other elements. */
export function context(
  number: number,
  { constructed }: { constructed: boolean },
  ...contents: readonly Uint8Array[]
): Der {
  return element(0x80 | (constructed ? 0x20 : 0) | number, ...contents);
}

/** A number that is not negative, most significant byte first, in its shortest form. */
export function integer(bytes: Uint8Array): Der {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start++;
  const shortest = bytes.subarray(start);
  const pad = ((shortest[0] ?? 0) & 0x80) !== 0 ? Uint8Array.of(0) : new Uint8Array();
  return element(0x02, pad, shortest);
}

export function bitString(bytes: Uint8Array, unusedBits = 0): Der {
  return element(0x03, Uint8Array.of(unusedBits), bytes);
}

/** "1.2.840.10045.4.3.2" */
export function objectId(dotted: string): Der {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  return element(0x06, Uint8Array.from([first * 40 + second, ...rest].flatMap(base128)));
}

/** UTCTime until 2049, GeneralizedTime from then on (RFC 5280 section 4.1.2.5). */
export function time(unixMs: number): Der {
  const digits = new Date(unixMs).toISOString().replace(/[-:T]|\.\d{3}/g, "");
  const ascii = (text: string) => new TextEncoder().encode(text);
  return Number(digits.slice(0, 4)) < 2050
    ? element(0x17, ascii(digits.slice(2)))
    : element(0x18, ascii(digits));
}

export function pem(label: string, der: Uint8Array): string {
  const lines = Buffer.from(der).toString("base64").match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ""].join("\n");
}

function lengthOf(length: number): Uint8Array {
  if (length < 0x80) return Uint8Array.of(length);
  const bytes: number[] = [];
  for (let left = length; left > 0; left >>>= 8) bytes.unshift(left & 0xff);
  return Uint8Array.of(0x80 | bytes.length, ...bytes);
}

function base128(value: number): number[] {
  const bytes = [value & 0x7f];
  for (let left = value >>> 7; left > 0; left >>>= 7) bytes.unshift(0x80 | (left & 0x7f));
  return bytes;
}
