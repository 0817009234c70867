/**
 * What a TUN with offloads hands out: packets of up to 64 KiB that must be cut into segments, and
 * packets whose checksum must be finished. Pure functions on packets in an arena.
 */
import { asSummand, fold, sumPseudoHeader, sumWords, writeIpv4Checksum } from "./checksum.ts";
import {
  PROTOCOL_TCP,
  PROTOCOL_UDP,
  readLong,
  readShort,
  TCP_CHECKSUM,
  TCP_FLAGS,
  UDP_CHECKSUM,
  UDP_HEADER,
  writeLong,
  writeShort,
} from "./packet.ts";
import type { PacketMemory } from "./packet_memory.ts";
import { GSO_ECN, GSO_TCP4, GSO_TCP6, GSO_UDP, type VnetHeader } from "./vnet_header.ts";

const FIN_PSH = 0x09;
const CWR = 0x80;

/** A packet at `offset`, a multiple of 4, as the TUN gave it. */
export interface TunPacket {
  offset: number;
  length: number;
  readonly header: VnetHeader;
}

/**
 * Copies a packet to `to`, a multiple of 4, and finishes the checksum there, in whose field the
 * pseudo header's part is already. False if the virtio_net_hdr lies.
 */
export function finishChecksum(memory: PacketMemory, packet: TunPacket, to: number): boolean {
  const { offset, length, header } = packet;
  const start = header.checksumStart;
  const at = start + header.checksumOffset;
  if ((start & 3) !== 0 || start > length || at + 2 > length) return false;
  memory.copy(to, offset, start);
  const sum = memory.copySum(to + start, offset + start, length - start);
  writeShort(memory.bytes, to + at, ~fold(sum >>> 0) & 0xffff || 0xffff);
  return true;
}

/**
 * Cuts the packet into segments, asking `place` where each goes (an offset that is a multiple of 4)
 * and telling `done` when it is there. False if it isn't a packet that can be cut.
 */
export function split(
  memory: PacketMemory,
  packet: TunPacket,
  out: { place: (length: number) => number; done: (offset: number, length: number) => void },
): boolean {
  const { bytes, words } = memory;
  const { offset, length, header } = packet;
  const type = header.gsoType & ~GSO_ECN;
  const version = (bytes[offset] ?? 0) >> 4;
  const start = header.checksumStart;
  const udp = type === GSO_UDP;
  const fits = udp
    ? version === 4 || version === 6
    : (type === GSO_TCP4 && version === 4) || (type === GSO_TCP6 && version === 6);
  const whole = (start & 3) === 0 && start >= (version === 4 ? 20 : 40) &&
    start + (udp ? UDP_HEADER : 20) <= length;
  if (!fits || !whole) return false;
  const transportLength = udp ? UDP_HEADER : ((bytes[offset + start + 12] ?? 0) >> 4) * 4;
  const headerLength = start + transportLength;
  const size = header.segmentSize;
  if (size === 0 || (!udp && transportLength < 20) || headerLength > length) return false;

  const protocol = udp ? PROTOCOL_UDP : PROTOCOL_TCP;
  const checksumAt = start + (udp ? UDP_CHECKSUM : TCP_CHECKSUM);
  const firstId = readShort(bytes, offset + 4);
  const firstSequence = udp ? 0 : readLong(bytes, offset + start + 4);
  const flags = bytes[offset + start + TCP_FLAGS] ?? 0;
  // What all segments share of their checksums.
  writeShort(bytes, offset + checksumAt, 0);
  const shared = sumPseudoHeader(words, { offset, version, protocol, length: 0 });
  const count = Math.max(1, Math.ceil((length - headerLength) / size));
  for (let index = 0; index < count; index++) {
    const from = headerLength + index * size;
    const payload = Math.min(size, length - from);
    const total = headerLength + payload;
    const to = out.place(total);
    memory.copy(to, offset, headerLength);
    const payloadSum = memory.copySum(to + headerLength, offset + from, payload) >>> 0;
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
    const sum = shared + asSummand(total - start) + payloadSum +
      sumWords(words, to + start, transportLength);
    const checksum = ~fold(sum) & 0xffff;
    writeShort(bytes, to + checksumAt, udp && checksum === 0 ? 0xffff : checksum);
    out.done(to, total);
  }
  return true;
}
