/** What `sendmsg` and `recvmsg` read and fill: addresses, control messages and pieces, as Linux lays them out. */
import type { Endpoint } from "../protocol/endpoint.ts";
import { Arena, writeLong } from "./arena.ts";

export const AF_INET = 2;
export const AF_INET6 = 10;
export const IPPROTO_IP = 0;
export const IPPROTO_IPV6 = 41;
export const IP_PKTINFO = 8;
export const IPV6_PKTINFO = 50;
export const SOL_UDP = 17;
export const UDP_SEGMENT = 103;
/** UDP_MAX_SEGMENTS of older kernels (net/ipv4/udp.c). */
export const MOST_SEGMENTS = 64;

const NAME_AT = 56;
export const NAME_LENGTH = 28;
const CONTROL_AT = 96;
const CONTROL_LENGTH = 128;
const PIECES_AT = CONTROL_AT + CONTROL_LENGTH;

/** A struct msghdr with all that it points to: name, control messages, pieces. */
export class Message {
  readonly header: Uint8Array<ArrayBuffer>;
  readonly control: DataView<ArrayBuffer>;
  readonly #arena: Arena;
  readonly #own: Arena;
  readonly #words: Uint32Array;
  readonly #name: DataView<ArrayBuffer>;

  constructor(arena: Arena) {
    this.#arena = arena;
    this.#own = new Arena(PIECES_AT + 16 * MOST_SEGMENTS);
    this.header = this.#own.bytes;
    this.#words = new Uint32Array(this.#own.bytes.buffer);
    this.#name = new DataView(this.#own.bytes.buffer, NAME_AT, NAME_LENGTH);
    this.control = new DataView(this.#own.bytes.buffer, CONTROL_AT, CONTROL_LENGTH);
    writeLong(this.#words, 0, this.#own.address(NAME_AT));
    this.usePieces(0, 1);
    writeLong(this.#words, 8, this.#own.address(CONTROL_AT));
    this.reset();
  }

  /** Room for name and control is in and out. */
  reset(): void {
    this.#words[2] = NAME_LENGTH;
    writeLong(this.#words, 10, CONTROL_LENGTH);
    this.#words[12] = 0;
  }

  get controlLength(): number {
    return this.#words[10] ?? 0;
  }

  get flags(): number {
    return this.#words[12] ?? 0;
  }

  setPiece(index: number, offset: number, length: number): void {
    const word = PIECES_AT / 4 + index * 4;
    writeLong(this.#words, word, this.#arena.address(offset));
    writeLong(this.#words, word + 2, length);
  }

  usePieces(first: number, count: number): void {
    writeLong(this.#words, 4, this.#own.address(PIECES_AT + first * 16));
    writeLong(this.#words, 6, count);
  }

  /** struct sockaddr_in or sockaddr_in6. */
  writeName({ words }: Endpoint): void {
    const name = this.#name;
    const port = (words[0] ?? 0) & 0xffff;
    name.setUint16(2, port);
    if ((words[0] ?? 0) >>> 16 === 4) {
      name.setUint16(0, AF_INET, true);
      name.setUint32(4, words[1] ?? 0);
      this.#words[2] = 16;
      return;
    }
    name.setUint16(0, AF_INET6, true);
    name.setUint32(4, 0);
    for (let word = 0; word < 4; word++) name.setUint32(8 + 4 * word, words[1 + word] ?? 0);
    name.setUint32(24, words[5] ?? 0, true);
    this.#words[2] = NAME_LENGTH;
  }

  readName({ words }: Endpoint): void {
    const name = this.#name;
    const port = name.getUint16(2);
    if (name.getUint16(0, true) === AF_INET) {
      words[0] = (4 << 16) | port;
      words[1] = name.getUint32(4);
      words.fill(0, 2, 6);
      return;
    }
    words[0] = (6 << 16) | port;
    for (let word = 0; word < 4; word++) words[1 + word] = name.getUint32(8 + 4 * word);
    words[5] = name.getUint32(24, true);
  }

  /** Our address, if one was learnt, and the size of segments, if there are several. */
  writeControl({ words }: Endpoint, segmentSize: number): void {
    let length = 0;
    if (words[11] !== 0) {
      length = (words[0] ?? 0) >>> 16 === 4 ? this.#writeSource4(words) : this.#writeSource6(words);
    }
    if (segmentSize > 0) {
      this.#writeControlHeader(length, { length: 18, level: SOL_UDP, type: UDP_SEGMENT });
      this.control.setUint16(length + 16, segmentSize, true);
      length += 24;
    }
    writeLong(this.#words, 10, length);
  }

  /** The address alone: the route to take is the system's business and may change. */
  #writeSource4(words: Uint32Array): number {
    this.#writeControlHeader(0, { length: 28, level: IPPROTO_IP, type: IP_PKTINFO });
    this.control.setUint32(16, 0, true);
    this.control.setUint32(20, words[6] ?? 0);
    this.control.setUint32(24, 0);
    return 32;
  }

  #writeSource6(words: Uint32Array): number {
    this.#writeControlHeader(0, { length: 36, level: IPPROTO_IPV6, type: IPV6_PKTINFO });
    for (let word = 0; word < 4; word++) {
      this.control.setUint32(16 + 4 * word, words[6 + word] ?? 0);
    }
    // fe80::/10 means nothing without its interface.
    const linkLocal = (words[6] ?? 0) >>> 22 === 0x3fa;
    this.control.setUint32(32, linkLocal ? words[10] ?? 0 : 0, true);
    return 40;
  }

  #writeControlHeader(
    at: number,
    { length, level, type }: { length: number; level: number; type: number },
  ): void {
    this.control.setUint32(at, length, true);
    this.control.setUint32(at + 4, 0, true);
    this.control.setInt32(at + 8, level, true);
    this.control.setInt32(at + 12, type, true);
  }
}
