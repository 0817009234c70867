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
import { Arena, FROM_UDP, READ_LIMIT } from "./arena.ts";
import {
  AF_INET,
  AF_INET6,
  IP_PKTINFO,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPV6_PKTINFO,
  Message,
  MOST_SEGMENTS,
  NAME_LENGTH,
  SOL_UDP,
  UDP_SEGMENT,
} from "./udp_message.ts";

const SOCK_DGRAM_FLAGS = 2 | 0x800 | 0x80000;
const SOL_SOCKET = 1;
const SO_MARK = 36;
const SO_BINDTODEVICE = 25;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const SO_SNDBUFFORCE = 32;
const SO_RCVBUFFORCE = 33;
const IPV6_V6ONLY = 26;
const IPV6_RECVPKTINFO = 49;
const UDP_GRO = 104;
const MSG_TRUNC = 0x20;
const BUFFER_BYTES = 7 << 20;
/** How long a full socket buffer is waited for before the datagram is dropped. */
const SEND_WAIT = 20;
/** What a datagram can hold (net/ipv4/udp.c). */
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
