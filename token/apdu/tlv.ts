/**
 * BER-TLV data objects: ISO 7816-4:2020 section 6.3 (tags of one to three bytes, lengths of up to
 * 65,535, definite form only).
 */
export interface Tlv {
  /** The tag's bytes as one number: 0x7C, 0x5FC102. */
  readonly tag: number;
  readonly value: Uint8Array;
}

/** Writes one data object. */
export function encodeTlv(tag: number, value: Uint8Array): Uint8Array {
  const head: number[] = [];
  if (tag > 0xffff) head.push(tag >> 16);
  if (tag > 0xff) head.push((tag >> 8) & 0xff);
  head.push(tag & 0xff);
  const length = value.length;
  if (length < 0x80) head.push(length);
  else if (length < 0x100) head.push(0x81, length);
  else if (length < 0x10000) head.push(0x82, length >> 8, length & 0xff);
  else throw new RangeError(`Cannot encode a data object of ${length} bytes`);
  const out = new Uint8Array(head.length + length);
  out.set(head);
  out.set(value, head.length);
  return out;
}

/** Joins data objects and other byte strings. */
export function concat(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** Reads a whole string of data objects; `undefined` when it is cut, oversized or malformed. */
export function parseTlvs(bytes: Uint8Array): Tlv[] | undefined {
  const found: Tlv[] = [];
  let at = 0;
  while (at < bytes.length) {
    const one = readTlv(bytes, at);
    if (one === undefined) return undefined;
    found.push({ tag: one.tag, value: one.value });
    at = one.end;
  }
  return found;
}

/** The value of the first object with this tag in a well-formed string, else `undefined`. */
export function findTlv(bytes: Uint8Array, tag: number): Uint8Array | undefined {
  return parseTlvs(bytes)?.find((one) => one.tag === tag)?.value;
}

/** Reads one data object at an offset; `undefined` when it is cut or malformed. */
export function readTlv(
  bytes: Uint8Array,
  offset: number,
): { tag: number; value: Uint8Array; end: number } | undefined {
  let at = offset;
  const first = bytes[at++];
  if (first === undefined) return undefined;
  let tag = first;
  if ((first & 0x1f) === 0x1f) {
    let more = true;
    for (let i = 0; more; i++) {
      const next = bytes[at++];
      if (next === undefined || i === 2) return undefined;
      tag = (tag << 8) | next;
      more = (next & 0x80) !== 0;
    }
  }
  const lengthByte = bytes[at++];
  if (lengthByte === undefined) return undefined;
  let length = lengthByte;
  if (lengthByte >= 0x80) {
    const count = lengthByte & 0x7f;
    if (count === 0 || count > 2 || at + count > bytes.length) return undefined;
    length = 0;
    for (let i = 0; i < count; i++) length = (length << 8) | (bytes[at++] ?? 0);
  }
  if (at + length > bytes.length) return undefined;
  return { tag, value: bytes.slice(at, at + length), end: at + length };
}
