/** Numbers in packets: which ones, where, and in network order. */

export const PROTOCOL_TCP = 6;
export const PROTOCOL_UDP = 17;
/** Where the flags lie in a TCP header, and the checksums (RFC 9293, RFC 768). */
export const TCP_FLAGS = 13;
export const TCP_CHECKSUM = 16;
export const UDP_CHECKSUM = 6;
export const UDP_HEADER = 8;

export function readShort(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

export function writeShort(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
}

export function readLong(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) * 0x1000000) + ((bytes[at + 1] ?? 0) << 16) +
    ((bytes[at + 2] ?? 0) << 8) + (bytes[at + 3] ?? 0);
}

export function writeLong(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}
