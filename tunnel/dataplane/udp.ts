/**
 * One unconnected UDP socket: it says to which of our addresses a datagram came, so that the answer
 * leaves from there, and sends and receives many datagrams in one call where the kernel can.
 */
import {
  EADDRNOTAVAIL,
  EAGAIN,
  EINTR,
  EINVAL,
  EIO,
  EMSGSIZE,
  ENETUNREACH,
  errnoText,
} from "../../os/errno.ts";
import { errno, libc, POLLOUT } from "../../os/libc.ts";
import type { Endpoint } from "../protocol/endpoint.ts";
import { Arena, FROM_UDP, READ_LIMIT, writeLong } from "./arena.ts";

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_DGRAM_FLAGS = 2 | 0x800 | 0x80000;
const SOL_SOCKET = 1;
const SO_MARK = 36;
const SO_BINDTODEVICE = 25;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const SO_SNDBUFFORCE = 32;
const SO_RCVBUFFORCE = 33;
const IPPROTO_IP = 0;
const IPPROTO_IPV6 = 41;
const IP_PKTINFO = 8;
const IPV6_V6ONLY = 26;
const IPV6_RECVPKTINFO = 49;
const IPV6_PKTINFO = 50;
const SOL_UDP = 17;
const UDP_SEGMENT = 103;
const UDP_GRO = 104;
const MSG_TRUNC = 0x20;
const BUFFER_BYTES = 7 << 20;
/** How long a full socket buffer is waited for before the datagram is dropped. */
const SEND_WAIT = 20;
/** UDP_MAX_SEGMENTS of older kernels, and what a datagram can hold (net/ipv4/udp.c). */
const MOST_SEGMENTS = 64;
const MOST_BYTES = 65_000;

export interface SocketOptions {
  readonly port: number;
  readonly fwmark: number;
  readonly bindInterface: string | undefined;
  readonly offloads: boolean;
}

/** One `sendmsg`: some pieces of the arena to one endpoint, each piece a datagram of its own. */
export class UdpSocket {
  readonly family: 4 | 6;
  readonly descriptor: number;
  readonly port: number;
  readonly gro: boolean;
  /** Whether several datagrams may go in one call; turned off when a path refuses it. */
  segments: boolean;
  /** Set by `receive`: the datagram was larger than any can be here. */
  truncated = false;
  /** Set by `receive`: size of each datagram but the last in what was received. */
  segmentSize = 0;
  /** What `send` does when a call fails for good; counts. */
  failed = 0;

  readonly #receiving: Message;
  readonly #sending: Message;
  readonly #wait = new Int32Array(2);
  readonly #waitBytes = new Uint8Array(this.#wait.buffer);
  #pieces = 0;
  #pieceSize = 0;
  #pieceBytes = 0;
  #ended = false;

  private constructor(
    parts: {
      family: 4 | 6;
      descriptor: number;
      port: number;
      gro: boolean;
      segments: boolean;
      arena: Arena;
    },
  ) {
    this.family = parts.family;
    this.descriptor = parts.descriptor;
    this.port = parts.port;
    this.gro = parts.gro;
    this.segments = parts.segments;
    this.#receiving = new Message(parts.arena);
    this.#receiving.setPiece(0, FROM_UDP, READ_LIMIT);
    this.#sending = new Message(parts.arena);
    this.#wait[0] = this.descriptor;
    this.#wait[1] = POLLOUT;
  }

  /** The error number if it can't be had. */
  static open(family: 4 | 6, options: SocketOptions, arena: Arena): UdpSocket | number {
    const descriptor = libc.socket(family === 4 ? AF_INET : AF_INET6, SOCK_DGRAM_FLAGS, 0);
    if (descriptor < 0) return errno();
    const set = (level: number, name: number, value: number) =>
      setOption(descriptor, { level, name, value: int(value) });
    if (family === 4) {
      set(IPPROTO_IP, IP_PKTINFO, 1);
    } else {
      set(IPPROTO_IPV6, IPV6_V6ONLY, 1);
      set(IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
    }
    if (!set(SOL_SOCKET, SO_SNDBUFFORCE, BUFFER_BYTES)) set(SOL_SOCKET, SO_SNDBUF, BUFFER_BYTES);
    if (!set(SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_BYTES)) set(SOL_SOCKET, SO_RCVBUF, BUFFER_BYTES);
    const fits = (options.fwmark === 0 || set(SOL_SOCKET, SO_MARK, options.fwmark)) &&
      (options.bindInterface === undefined || setOption(descriptor, {
        level: SOL_SOCKET,
        name: SO_BINDTODEVICE,
        value: new TextEncoder().encode(options.bindInterface),
      }));
    const address = socketAddress(family, options.port);
    if (!fits || libc.bind(descriptor, address, address.length) < 0) {
      const error = errno();
      libc.close(descriptor);
      return error;
    }
    libc.getsockname(descriptor, address, int(address.length));
    return new UdpSocket({
      family,
      descriptor,
      port: ((address[2] ?? 0) << 8) | (address[3] ?? 0),
      gro: options.offloads && set(SOL_UDP, UDP_GRO, 1),
      segments: options.offloads && set(SOL_UDP, UDP_SEGMENT, 0),
      arena,
    });
  }

  setFwmark(fwmark: number): boolean {
    return setOption(this.descriptor, { level: SOL_SOCKET, name: SO_MARK, value: int(fwmark) });
  }

  /**
   * Receives to `FROM_UDP`: the length of one or more datagrams, 0 if there is nothing now, -1 for
   * something that can't be used. Writes the sender to `source`, with `generation`.
   */
  receive(source: Endpoint, generation: number): number {
    const message = this.#receiving;
    message.reset();
    this.truncated = false;
    const got = libc.recvmsg(this.descriptor, message.header, 0);
    if (got < 0) {
      const error = errno();
      return error === EAGAIN || error === EINTR ? 0 : -1;
    }
    this.segmentSize = got;
    message.readName(source);
    this.#readControl(message, { source, generation });
    this.truncated = (message.flags & MSG_TRUNC) !== 0;
    return got === 0 || this.truncated ? -1 : got;
  }

  /** Adds a datagram to the call being made. False if it must go in another call: `flush` first. */
  add(offset: number, length: number): boolean {
    if (this.#pieces > 0) {
      const fits = this.segments && !this.#ended && length <= this.#pieceSize &&
        this.#pieces < MOST_SEGMENTS && this.#pieceBytes + length <= MOST_BYTES;
      if (!fits) return false;
      this.#ended = length < this.#pieceSize;
    } else {
      this.#pieceSize = length;
    }
    this.#sending.setPiece(this.#pieces++, offset, length);
    this.#pieceBytes += length;
    return true;
  }

  /** Sends what was added. `generation`: our addresses learnt in an older one aren't used. */
  flush(endpoint: Endpoint, generation: number): void {
    const count = this.#pieces;
    if (count === 0) return;
    this.#pieces = 0;
    this.#pieceBytes = 0;
    this.#ended = false;
    if (endpoint.words[11] !== generation) endpoint.clearSource();
    const error = this.#send(endpoint, 0, count);
    if (error === 0) return;
    if (count > 1 && (error === EIO || error === EINVAL || error === EMSGSIZE)) {
      // EIO: the way out can't compute checksums, so it never will.
      if (error === EIO) this.segments = false;
      for (let piece = 0; piece < count; piece++) {
        if (this.#send(endpoint, piece, 1) !== 0) this.failed++;
      }
    } else {
      this.failed += count;
    }
  }

  close(): void {
    libc.close(this.descriptor);
  }

  #send(endpoint: Endpoint, first: number, count: number): number {
    const error = this.#sendOnce(endpoint, first, count);
    const stale = error === EINVAL || error === EADDRNOTAVAIL || error === ENETUNREACH;
    if (!stale || endpoint.words[11] === 0) return error;
    // The address that we used to answer from is gone: let the system choose another.
    endpoint.clearSource();
    return this.#sendOnce(endpoint, first, count);
  }

  #sendOnce(endpoint: Endpoint, first: number, count: number): number {
    const message = this.#sending;
    message.writeName(endpoint);
    message.usePieces(first, count);
    message.writeControl(endpoint, count > 1 ? this.#pieceSize : 0);
    for (let attempt = 0;; attempt++) {
      if (libc.sendmsg(this.descriptor, message.header, 0) >= 0) return 0;
      const error = errno();
      if (error === EINTR) continue;
      if (error !== EAGAIN || attempt > 0) return error;
      libc.poll(this.#waitBytes, 1, SEND_WAIT);
    }
  }

  #readControl(message: Message, at: { source: Endpoint; generation: number }): void {
    const { words } = at.source;
    words.fill(0, 6);
    const view = message.control;
    for (let offset = 0; offset + 16 <= message.controlLength;) {
      const length = view.getUint32(offset, true);
      if (length < 16) return;
      const level = view.getInt32(offset + 8, true);
      const type = view.getInt32(offset + 12, true);
      const data = offset + 16;
      if (level === SOL_UDP && type === UDP_GRO) {
        this.segmentSize = view.getInt32(data, true);
      } else if (level === IPPROTO_IP && type === IP_PKTINFO) {
        words[10] = view.getUint32(data, true);
        words[6] = view.getUint32(data + 4);
        words[11] = at.generation;
      } else if (level === IPPROTO_IPV6 && type === IPV6_PKTINFO) {
        for (let word = 0; word < 4; word++) words[6 + word] = view.getUint32(data + 4 * word);
        words[10] = view.getUint32(data + 16, true);
        words[11] = at.generation;
      }
      offset += (length + 7) & ~7;
    }
  }
}

const NAME_AT = 56;
const NAME_LENGTH = 28;
const CONTROL_AT = 96;
const CONTROL_LENGTH = 128;
const PIECES_AT = CONTROL_AT + CONTROL_LENGTH;

/** A struct msghdr with all that it points to: name, control messages, pieces. */
class Message {
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

function setOption(
  descriptor: number,
  option: { level: number; name: number; value: Uint8Array<ArrayBuffer> },
): boolean {
  const { level, name, value } = option;
  return libc.setsockopt(descriptor, level, name, value, value.length) === 0;
}

function int(value: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new Int32Array([value]).buffer);
}

/** The any-address with a port. */
function socketAddress(family: 4 | 6, port: number): Uint8Array<ArrayBuffer> {
  const address = new Uint8Array(family === 4 ? 16 : NAME_LENGTH);
  const view = new DataView(address.buffer);
  view.setUint16(0, family === 4 ? AF_INET : AF_INET6, true);
  view.setUint16(2, port);
  return address;
}

/** Why a socket can't be had, for people. */
export function socketProblem(error: number, port: number): string {
  return `Cannot open UDP port ${port}: ${errnoText(error)}`;
}
