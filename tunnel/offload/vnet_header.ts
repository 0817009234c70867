/**
 * What a TUN with offloads puts before each packet: struct virtio_net_hdr (VIRTIO 1.2 section
 * 5.1.6), little-endian.
 */

export const NEEDS_CHECKSUM = 1;
export const GSO_NONE = 0;
export const GSO_TCP4 = 1;
export const GSO_TCP6 = 4;
export const GSO_UDP = 5;
/** Bit beside the type: the first segment has CWR set (RFC 3168). */
export const GSO_ECN = 0x80;

/** A virtio_net_hdr, read once for each packet into the same object. */
export interface VnetHeader {
  flags: number;
  gsoType: number;
  segmentSize: number;
  checksumStart: number;
  checksumOffset: number;
}

export function emptyVnetHeader(): VnetHeader {
  return { flags: 0, gsoType: GSO_NONE, segmentSize: 0, checksumStart: 0, checksumOffset: 0 };
}

export function readVnetHeader(from: Uint8Array, into: VnetHeader): void {
  into.flags = from[0] ?? 0;
  into.gsoType = from[1] ?? 0;
  into.segmentSize = readLittleShort(from, 4);
  into.checksumStart = readLittleShort(from, 6);
  into.checksumOffset = readLittleShort(from, 8);
}

/** Says that the packet's checksum is to be finished, and that it is to be cut. */
export function writeVnetHeader(
  into: Uint8Array,
  header: Omit<VnetHeader, "flags"> & { headerLength: number },
): void {
  into[0] = NEEDS_CHECKSUM;
  into[1] = header.gsoType;
  writeLittleShort(into, 2, header.headerLength);
  writeLittleShort(into, 4, header.segmentSize);
  writeLittleShort(into, 6, header.checksumStart);
  writeLittleShort(into, 8, header.checksumOffset);
}

function readLittleShort(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);
}

function writeLittleShort(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
}
