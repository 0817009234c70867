/**
 * Whether a received TCP segment continues the one before it, so that both can be handed to the TUN
 * as one large packet: the reverse of `split`. Only segments whose headers say the same are merged
 * (RFC 9293 fields, as the kernel's own receive offload compares them), none after PSH, none with
 * IP options or extension headers, no fragment. Pure, on packets in an arena.
 */
import { fold, sumPseudoHeader } from "./checksum.ts";
import {
  GSO_TCP4,
  GSO_TCP6,
  NEEDS_CHECKSUM,
  type PacketMemory,
  PROTOCOL_TCP,
  readLong,
  readShort,
  writeIpv4Checksum,
  writeShort,
} from "./split.ts";

const LARGEST = 65_535;
const ACK = 0x10;
const ACK_PSH = 0x18;
const PSH = 0x08;
const TCP_FLAGS = 13;
const TCP_CHECKSUM = 16;
/** IPv4 flags: may not be fragmented; then its id means nothing (RFC 6864). */
const DONT_FRAGMENT = 0x40;

/** A run of segments that belong together: the first one's place, and what the next must continue. */
export class Run {
  readonly #memory: PacketMemory;
  #offset = 0;
  #headerLength = 0;
  #ipLength = 0;
  #segmentSize = 0;
  #total = 0;
  #nextSequence = 0;
  #count = 0;
  /** Nothing may follow: not TCP, PSH was seen, or a short segment ended the run. */
  #ended = true;

  constructor(memory: PacketMemory) {
    this.#memory = memory;
  }

  /** Bytes of header that come only once. */
  get headerLength(): number {
    return this.#headerLength;
  }

  get count(): number {
    return this.#count;
  }

  /** Begins with the packet at `offset`, whatever it is. */
  begin(offset: number, length: number): void {
    const { bytes } = this.#memory;
    this.#offset = offset;
    this.#total = length;
    this.#count = 1;
    this.#ended = true;
    this.#ipLength = tcpStart(bytes, offset, length);
    if (this.#ipLength === 0) return;
    const tcp = offset + this.#ipLength;
    this.#headerLength = this.#ipLength + ((bytes[tcp + 12] ?? 0) >> 4) * 4;
    this.#segmentSize = length - this.#headerLength;
    if (this.#segmentSize <= 0 || bytes[tcp + TCP_FLAGS] !== ACK) return;
    this.#nextSequence = (readLong(bytes, tcp + 4) + this.#segmentSize) >>> 0;
    this.#ended = false;
  }

  /** Takes the packet at `offset` if it continues the run. */
  take(offset: number, length: number): boolean {
    const { bytes } = this.#memory;
    const payload = length - this.#headerLength;
    if (
      this.#ended || payload <= 0 || payload > this.#segmentSize ||
      this.#total + payload > LARGEST || !this.#sameHeaders(offset, length)
    ) return false;
    const tcp = offset + this.#ipLength;
    const flags = bytes[tcp + TCP_FLAGS] ?? 0;
    if (flags !== ACK && flags !== ACK_PSH) return false;
    if (readLong(bytes, tcp + 4) !== this.#nextSequence) return false;
    if (flags === ACK_PSH) {
      const first = this.#offset + this.#ipLength + TCP_FLAGS;
      bytes[first] = (bytes[first] ?? 0) | PSH;
    }
    this.#ended = flags === ACK_PSH || payload < this.#segmentSize;
    this.#nextSequence = (this.#nextSequence + payload) >>> 0;
    this.#total += payload;
    this.#count++;
    return true;
  }

  /** Makes the first segment's header that of the whole, and `vnet` say how to cut it again. */
  finish(vnet: Uint8Array): void {
    if (this.#count < 2) return;
    const { bytes, words } = this.#memory;
    const version = this.#ipLength === 20 ? 4 : 6;
    const tcpLength = this.#total - this.#ipLength;
    if (version === 4) {
      writeShort(bytes, this.#offset + 2, this.#total);
      writeIpv4Checksum(this.#memory, this.#offset);
    } else {
      writeShort(bytes, this.#offset + 4, tcpLength);
    }
    const pseudo = sumPseudoHeader(words, {
      offset: this.#offset,
      version,
      protocol: PROTOCOL_TCP,
      length: tcpLength,
    });
    writeShort(bytes, this.#offset + this.#ipLength + TCP_CHECKSUM, fold(pseudo));
    vnet[0] = NEEDS_CHECKSUM;
    vnet[1] = version === 4 ? GSO_TCP4 : GSO_TCP6;
    writeLittleShort(vnet, 2, this.#headerLength);
    writeLittleShort(vnet, 4, this.#segmentSize);
    writeLittleShort(vnet, 6, this.#ipLength);
    writeLittleShort(vnet, 8, TCP_CHECKSUM);
  }

  #sameHeaders(offset: number, length: number): boolean {
    const { bytes } = this.#memory;
    if (tcpStart(bytes, offset, length) !== this.#ipLength) return false;
    if (this.#ipLength === 20) {
      if (!this.#sameBytes(offset, 0, 2) || !this.#sameBytes(offset, 6, 10)) return false;
      const before = readShort(bytes, this.#offset + 4);
      const mayFragment = ((bytes[offset + 6] ?? 0) & DONT_FRAGMENT) === 0;
      const expected = (before + this.#count) & 0xffff;
      if (mayFragment && readShort(bytes, offset + 4) !== expected) return false;
      if (!this.#sameBytes(offset, 12, 20)) return false;
    } else if (!this.#sameBytes(offset, 0, 4) || !this.#sameBytes(offset, 6, 40)) {
      return false;
    }
    const tcp = this.#ipLength;
    return this.#sameBytes(offset, tcp, tcp + 4) &&
      this.#sameBytes(offset, tcp + 8, tcp + TCP_FLAGS) &&
      this.#sameBytes(offset, tcp + 14, tcp + TCP_CHECKSUM) &&
      this.#sameBytes(offset, tcp + 18, this.#headerLength);
  }

  #sameBytes(offset: number, from: number, to: number): boolean {
    const { bytes } = this.#memory;
    for (let index = from; index < to; index++) {
      if (bytes[offset + index] !== bytes[this.#offset + index]) return false;
    }
    return true;
  }
}

/** Length of a plain IP header with whole TCP behind it; 0 for anything else. */
function tcpStart(bytes: Uint8Array, offset: number, length: number): number {
  const first = bytes[offset] ?? 0;
  let start = 0;
  if (first === 0x45 && length >= 40 && bytes[offset + 9] === PROTOCOL_TCP) {
    const fragment = readShort(bytes, offset + 6) & 0x3fff;
    if (fragment === 0 && readShort(bytes, offset + 2) === length) start = 20;
  } else if (first >> 4 === 6 && length >= 60 && bytes[offset + 6] === PROTOCOL_TCP) {
    if (readShort(bytes, offset + 4) + 40 === length) start = 40;
  }
  if (start === 0) return 0;
  const dataOffset = ((bytes[offset + start + 12] ?? 0) >> 4) * 4;
  return dataOffset >= 20 && start + dataOffset <= length ? start : 0;
}

function writeLittleShort(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
}
