/**
 * The Internet checksum (RFC 1071) over packets in an arena, four bytes at a time. Sums are kept in
 * the machine's (little-endian) order and turned round at the end, which the arithmetic allows.
 */
import { writeShort } from "./packet.ts";

/** Sum of `length` bytes at `offset`, a multiple of 4; not folded. */
export function sumWords(words: Uint32Array, offset: number, length: number): number {
  const first = offset >>> 2;
  const whole = first + (length >>> 2);
  let sum = 0;
  for (let index = first; index < whole; index++) {
    const word = words[index] ?? 0;
    sum += (word & 0xffff) + (word >>> 16);
  }
  const rest = length & 3;
  if (rest > 0) {
    // What lies behind the end doesn't count.
    const word = (words[whole] ?? 0) & ((1 << (8 * rest)) - 1);
    sum += (word & 0xffff) + (word >>> 16);
  }
  return sum;
}

/** The sum in 16 bits, in network order, not complemented. */
export function fold(sum: number): number {
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return ((sum & 0xff) << 8) | (sum >>> 8);
}

/** A 16-bit number as it counts in a sum. */
export function asSummand(value: number): number {
  return ((value & 0xff) << 8) | ((value >>> 8) & 0xff);
}

/** Sum of the pseudo header (RFC 9293, RFC 8200) of the IP packet at `offset`. */
export function sumPseudoHeader(
  words: Uint32Array,
  { offset, version, protocol, length }: {
    offset: number;
    version: number;
    protocol: number;
    length: number;
  },
): number {
  const addresses = version === 4
    ? sumWords(words, offset + 12, 8)
    : sumWords(words, offset + 8, 32);
  return addresses + asSummand(protocol) + asSummand(length);
}

/** Recomputes the checksum of the IPv4 header at `offset`, a multiple of 4. */
export function writeIpv4Checksum(
  { bytes, words }: { bytes: Uint8Array; words: Uint32Array },
  offset: number,
): void {
  writeShort(bytes, offset + 10, 0);
  const sum = sumWords(words, offset, ((bytes[offset] ?? 0) & 15) * 4);
  writeShort(bytes, offset + 10, ~fold(sum) & 0xffff);
}
