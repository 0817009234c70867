/**
 * What a TUN with offloads hands out (struct virtio_net_hdr, VIRTIO 1.2 section 5.1.6): packets of
 * up to 64 KiB that must be cut into segments, and packets without checksum. Pure functions on
 * packets in an arena.
 */
import { fold, sumPseudoHeader, sumWords } from "./checksum.ts";
import {
  type PacketMemory,
  PROTOCOL_TCP,
  PROTOCOL_UDP,
  readLong,
  readShort,
  TCP_FLAGS,
  writeLong,
  writeShort,
} from "./packet.ts";
import { GSO_ECN, GSO_TCP4, GSO_TCP6, GSO_UDP, type VnetHeader } from "./vnet_header.ts";

const FIN_PSH = 0x09;
const CWR = 0x80;

/** Finishes a checksum of which the pseudo header's part is already in its field. False if the header lies. */
export function finishChecksum(
  { bytes }: PacketMemory,
  packet: { offset: number; length: number; header: VnetHeader },
): boolean {
  const { offset, length, header } = packet;
  const at = header.checksumStart + header.checksumOffset;
  if (header.checksumStart > length || at + 2 > length) return false;
  let sum = 0;
  const end = offset + length;
  let index = offset + header.checksumStart;
  for (; index + 1 < end; index += 2) sum += ((bytes[index] ?? 0) << 8) | (bytes[index + 1] ?? 0);
  if (index < end) sum += (bytes[index] ?? 0) << 8;
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  writeShort(bytes, offset + at, ~sum & 0xffff || 0xffff);
  return true;
}

/**
 * Cuts the packet at `offset` into segments, asking `place` where each goes (an offset that is a
 * multiple of 4) and telling `done` when it is there. False if it isn't a packet that can be cut.
 */
export function split(
  memory: PacketMemory,
  packet: { offset: number; length: number; header: VnetHeader },
  out: { place: (length: number) => number; done: (offset: number, length: number) => void },
): boolean {
  const { bytes } = memory;
  const { offset, length, header } = packet;
  const type = header.gsoType & ~GSO_ECN;
  const version = (bytes[offset] ?? 0) >> 4;
  const start = header.checksumStart;
  const udp = type === GSO_UDP;
  const fits = udp
    ? version === 4 || version === 6
    : (type === GSO_TCP4 && version === 4) || (type === GSO_TCP6 && version === 6);
  if (!fits || start < (version === 4 ? 20 : 40) || start + (udp ? 8 : 20) > length) {
    return false;
  }
  const transportLength = udp ? 8 : ((bytes[offset + start + 12] ?? 0) >> 4) * 4;
  const headerLength = start + transportLength;
  const size = header.segmentSize;
  if (size === 0 || (!udp && transportLength < 20) || headerLength > length) return false;

  const protocol = udp ? PROTOCOL_UDP : PROTOCOL_TCP;
  const firstId = readShort(bytes, offset + 4);
  const firstSequence = udp ? 0 : readLong(bytes, offset + start + 4);
  const flags = bytes[offset + start + TCP_FLAGS] ?? 0;
  const count = Math.max(1, Math.ceil((length - headerLength) / size));
  for (let index = 0; index < count; index++) {
    const from = headerLength + index * size;
    const payload = Math.min(size, length - from);
    const total = headerLength + payload;
    const to = out.place(total);
    bytes.copyWithin(to, offset, offset + headerLength);
    bytes.copyWithin(to + headerLength, offset + from, offset + from + payload);
    if (version === 4) {
      writeShort(bytes, to + 2, total);
      writeShort(bytes, to + 4, firstId + index);
      writeIpv4Checksum(memory, to);
    } else {
      writeShort(bytes, to + 4, total - 40);
    }
    if (udp) {
      writeShort(bytes, to + start + 4, total - start);
    } else {
      writeLong(bytes, to + start + 4, firstSequence + index * size);
      let segmentFlags = flags;
      if (index > 0) segmentFlags &= ~CWR;
      if (index < count - 1) segmentFlags &= ~FIN_PSH;
      bytes[to + start + TCP_FLAGS] = segmentFlags;
    }
    writeTransportChecksum(memory, { offset: to, length: total, start, version, protocol });
    out.done(to, total);
  }
  return true;
}

/** Recomputes the checksum of the IPv4 header at `offset`, a multiple of 4. */
export function writeIpv4Checksum({ bytes, words }: PacketMemory, offset: number): void {
  writeShort(bytes, offset + 10, 0);
  const sum = sumWords(words, offset, ((bytes[offset] ?? 0) & 15) * 4);
  writeShort(bytes, offset + 10, ~fold(sum) & 0xffff);
}

/** The checksum of TCP or UDP behind `start` bytes of IP header. */
export function writeTransportChecksum(
  { bytes, words }: PacketMemory,
  packet: { offset: number; length: number; start: number; version: number; protocol: number },
): void {
  const { offset, length, start, version, protocol } = packet;
  const at = offset + start + (protocol === PROTOCOL_UDP ? 6 : 16);
  writeShort(bytes, at, 0);
  const transport = length - start;
  const sum = sumWords(words, offset + start, transport) +
    sumPseudoHeader(words, { offset, version, protocol, length: transport });
  const checksum = ~fold(sum) & 0xffff;
  writeShort(bytes, at, protocol === PROTOCOL_UDP && checksum === 0 ? 0xffff : checksum);
}
