/**
 * Whether a received packet continues the one before it, so that both can be handed to the TUN as
 * one large packet: the reverse of `split`. TCP segments and UDP datagrams of one flow are merged,
 * and only those whose headers say the same, as the kernel's own receive offload compares them; none
 * with IP options or extension headers, no fragment; no TCP after PSH, no UDP without checksum.
 * Pure, on packets in an arena, at multiples of 4.
 */
import { fold, sumPseudoHeader, writeIpv4Checksum } from "./checksum.ts";
import {
  PROTOCOL_TCP,
  PROTOCOL_UDP,
  readLong,
  readShort,
  TCP_CHECKSUM,
  TCP_FLAGS,
  UDP_CHECKSUM,
  UDP_HEADER,
  writeShort,
} from "./packet.ts";
import type { PacketMemory } from "./packet_memory.ts";
import { GSO_TCP4, GSO_TCP6, GSO_UDP, writeVnetHeader } from "./vnet_header.ts";

const LARGEST = 65_535;
const ACK = 0x10;
const ACK_PSH = 0x18;
/** IPv4 flags: may not be fragmented; then its id means nothing (RFC 6864). */
const DONT_FRAGMENT = 0x40;

export interface MergeChoices {
  /** The kernel cuts TCP, and UDP, that is written to the TUN. */
  tcp: boolean;
  udp: boolean;
}

/** A run of packets that belong together: the first one's place, and what the next must continue. */
export class Run {
  readonly choices: MergeChoices;
  readonly #memory: PacketMemory;
  #offset = 0;
  #firstLength = 0;
  #headerLength = 0;
  /** Bytes of IP header: 20 or 40; 0 for a packet that nothing continues. */
  #ipLength = 0;
  #protocol = 0;
  #segmentSize = 0;
  #total = 0;
  #nextSequence = 0;
  #pushed = false;
  #count = 0;
  /** Nothing may follow: not ours to merge, PSH was seen, or a short packet ended the run. */
  #ended = true;
  /** What `finish` overwrites. */
  #checksumBefore = 0;

  constructor(memory: PacketMemory, choices: MergeChoices) {
    this.#memory = memory;
    this.choices = choices;
  }

  /** Bytes of header that come only once. */
  get headerLength(): number {
    return this.#headerLength;
  }

  get count(): number {
    return this.#count;
  }

  get isUdp(): boolean {
    return this.#protocol === PROTOCOL_UDP;
  }

  /** Begins with the packet at `offset`, whatever it is. */
  begin(offset: number, length: number): void {
    const { bytes } = this.#memory;
    this.#offset = offset;
    this.#firstLength = length;
    this.#total = length;
    this.#count = 1;
    this.#pushed = false;
    this.#ended = true;
    const ipLength = plainHeader(bytes, offset, length);
    this.#ipLength = ipLength;
    if (ipLength === 0) return;
    const protocol = bytes[offset + (ipLength === 20 ? 9 : 6)] ?? 0;
    this.#protocol = protocol;
    const start = offset + ipLength;
    if (protocol === PROTOCOL_TCP && this.choices.tcp) {
      this.#beginTcp(start, length - ipLength);
    } else if (protocol === PROTOCOL_UDP && this.choices.udp) {
      this.#beginUdp(start, length - ipLength);
    }
  }

  /** Takes the packet at `offset` if it continues the run. */
  take(offset: number, length: number): boolean {
    if (this.#ended) return false;
    const payload = length - this.#headerLength;
    if (
      payload <= 0 || payload > this.#segmentSize || this.#total + payload > LARGEST ||
      !this.#sameAddresses(offset, length)
    ) return false;
    const continues = this.#protocol === PROTOCOL_UDP
      ? this.#continuesUdp(offset, length)
      : this.#continuesTcp(offset, payload);
    if (!continues) return false;
    this.#ended = this.#pushed || payload < this.#segmentSize;
    this.#total += payload;
    this.#count++;
    return true;
  }

  /** Makes the first packet's header that of the whole, and `vnet` say how to cut it again. */
  finish(vnet: Uint8Array): void {
    if (this.#count < 2) return;
    const { bytes, words } = this.#memory;
    const isUdp = this.#protocol === PROTOCOL_UDP;
    const start = this.#offset + this.#ipLength;
    const checksumOffset = isUdp ? UDP_CHECKSUM : TCP_CHECKSUM;
    this.#checksumBefore = readShort(bytes, start + checksumOffset);
    this.#writeLengths(this.#total);
    if (this.#pushed) bytes[start + TCP_FLAGS] = ACK_PSH;
    const version = this.#ipLength === 20 ? 4 : 6;
    const pseudo = sumPseudoHeader(words, {
      offset: this.#offset,
      version,
      protocol: this.#protocol,
      length: this.#total - this.#ipLength,
    });
    writeShort(bytes, start + checksumOffset, fold(pseudo));
    writeVnetHeader(vnet, {
      gsoType: isUdp ? GSO_UDP : version === 4 ? GSO_TCP4 : GSO_TCP6,
      headerLength: this.#headerLength,
      segmentSize: this.#segmentSize,
      checksumStart: this.#ipLength,
      checksumOffset,
    });
  }

  /** Takes back what `finish` did to the first packet: the kernel refused the whole. */
  undo(): void {
    if (this.#count < 2) return;
    const { bytes } = this.#memory;
    const start = this.#offset + this.#ipLength;
    const checksumOffset = this.isUdp ? UDP_CHECKSUM : TCP_CHECKSUM;
    this.#writeLengths(this.#firstLength);
    if (this.#pushed) bytes[start + TCP_FLAGS] = ACK;
    writeShort(bytes, start + checksumOffset, this.#checksumBefore);
  }

  #beginTcp(start: number, length: number): void {
    const { bytes } = this.#memory;
    if (length < 20 || bytes[start + TCP_FLAGS] !== ACK) return;
    const header = ((bytes[start + 12] ?? 0) >> 4) * 4;
    if (header < 20 || header >= length) return;
    this.#headerLength = this.#ipLength + header;
    this.#segmentSize = length - header;
    this.#nextSequence = (readLong(bytes, start + 4) + this.#segmentSize) >>> 0;
    this.#ended = false;
  }

  #beginUdp(start: number, length: number): void {
    const { bytes } = this.#memory;
    if (length <= UDP_HEADER || readShort(bytes, start + 4) !== length) return;
    // Zero says "no checksum" (RFC 768); cutting would give each datagram one.
    if (readShort(bytes, start + UDP_CHECKSUM) === 0) return;
    this.#headerLength = this.#ipLength + UDP_HEADER;
    this.#segmentSize = length - UDP_HEADER;
    this.#ended = false;
  }

  #continuesTcp(offset: number, payload: number): boolean {
    const { bytes, words } = this.#memory;
    const start = offset + this.#ipLength;
    const flags = bytes[start + TCP_FLAGS] ?? 0;
    if (flags !== ACK && flags !== ACK_PSH) return false;
    if (readLong(bytes, start + 4) !== this.#nextSequence) return false;
    const here = start >>> 2;
    const there = (this.#offset + this.#ipLength) >>> 2;
    // Ports, acknowledgement, length of header and window, urgent pointer; then the options.
    let difference = ((words[here] ?? 0) ^ (words[there] ?? 0)) |
      ((words[here + 2] ?? 0) ^ (words[there + 2] ?? 0)) |
      (((words[here + 3] ?? 0) ^ (words[there + 3] ?? 0)) & 0xffff00ff) |
      (((words[here + 4] ?? 0) ^ (words[there + 4] ?? 0)) & 0xffff0000);
    const end = (this.#headerLength - this.#ipLength) >>> 2;
    for (let word = 5; word < end; word++) {
      difference |= (words[here + word] ?? 0) ^ (words[there + word] ?? 0);
    }
    if (difference !== 0) return false;
    this.#pushed = flags === ACK_PSH;
    this.#nextSequence = (this.#nextSequence + payload) >>> 0;
    return true;
  }

  #continuesUdp(offset: number, length: number): boolean {
    const { bytes, words } = this.#memory;
    const start = offset + this.#ipLength;
    return words[start >>> 2] === words[(this.#offset + this.#ipLength) >>> 2] &&
      readShort(bytes, start + 4) === length - this.#ipLength &&
      readShort(bytes, start + UDP_CHECKSUM) !== 0;
  }

  /** All of the IP header but lengths and IPv4's checksum; the id must be the next one, if it counts. */
  #sameAddresses(offset: number, length: number): boolean {
    const { bytes, words } = this.#memory;
    const here = offset >>> 2;
    const there = this.#offset >>> 2;
    if (this.#ipLength === 40) {
      if (readShort(bytes, offset + 4) + 40 !== length) return false;
      let difference = ((words[here] ?? 0) ^ (words[there] ?? 0)) |
        (((words[here + 1] ?? 0) ^ (words[there + 1] ?? 0)) & 0xffff0000);
      for (let word = 2; word < 10; word++) {
        difference |= (words[here + word] ?? 0) ^ (words[there + word] ?? 0);
      }
      return difference === 0;
    }
    const difference = (((words[here] ?? 0) ^ (words[there] ?? 0)) & 0xffff) |
      (((words[here + 1] ?? 0) ^ (words[there + 1] ?? 0)) & 0xffff0000) |
      (((words[here + 2] ?? 0) ^ (words[there + 2] ?? 0)) & 0xffff) |
      ((words[here + 3] ?? 0) ^ (words[there + 3] ?? 0)) |
      ((words[here + 4] ?? 0) ^ (words[there + 4] ?? 0));
    if (difference !== 0 || readShort(bytes, offset + 2) !== length) return false;
    if (((bytes[offset + 6] ?? 0) & DONT_FRAGMENT) !== 0) return true;
    const expected = (readShort(bytes, this.#offset + 4) + this.#count) & 0xffff;
    return readShort(bytes, offset + 4) === expected;
  }

  #writeLengths(total: number): void {
    const { bytes } = this.#memory;
    if (this.#ipLength === 20) {
      writeShort(bytes, this.#offset + 2, total);
      writeIpv4Checksum(this.#memory, this.#offset);
    } else {
      writeShort(bytes, this.#offset + 4, total - 40);
    }
    if (this.isUdp) writeShort(bytes, this.#offset + this.#ipLength + 4, total - this.#ipLength);
  }
}

/** Length of an IP header without options, extensions or fragments that gives the packet's length; 0 for others. */
function plainHeader(bytes: Uint8Array, offset: number, length: number): number {
  const first = bytes[offset] ?? 0;
  if (first === 0x45 && length >= 20) {
    const fragment = readShort(bytes, offset + 6) & 0x3fff;
    return fragment === 0 && readShort(bytes, offset + 2) === length ? 20 : 0;
  }
  if (first >> 4 === 6 && length >= 40) {
    return readShort(bytes, offset + 4) + 40 === length ? 40 : 0;
  }
  return 0;
}
