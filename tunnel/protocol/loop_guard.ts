/**
 * Whether a packet from the TUN is one of our own datagrams: a route leads from the peer's endpoint
 * back into the tunnel, as when its address is among its own allowed IPs. Such a packet would be
 * wrapped again and again. What tells it from a tunnel of somebody behind us to the same peer is
 * the receiver's index, which is random and this session's alone.
 */
import type { Endpoint } from "./endpoint.ts";
import type { Keypair } from "./keypair.ts";
import { TYPE_TRANSPORT } from "./spec.ts";

const PROTOCOL_UDP = 17;
/** Next header of an IPv6 fragment (RFC 8200 section 4.5). */
const FRAGMENT = 44;
const UDP_HEADER = 8;

export class LoopGuard {
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** `offset`: where the IP packet lies whose way out is `keypair`. Allocates nothing. */
  isOwn(keypair: Keypair, offset: number, length: number): boolean {
    const { endpoint } = keypair.peer;
    if (endpoint === undefined) return false;
    const header = this.#udpAfter(offset, length);
    if (header === 0 || header + UDP_HEADER + 8 > length) return false;
    const udp = offset + header;
    return this.#leadsTo(endpoint, offset) && this.#short(udp + 2) === endpoint.port &&
      this.#bytes[udp + UDP_HEADER] === TYPE_TRANSPORT &&
      this.#littleWord(udp + UDP_HEADER + 4) === keypair.remoteIndex;
  }

  /** Length of the IP header, if UDP's first bytes follow it; else 0. */
  #udpAfter(offset: number, length: number): number {
    const bytes = this.#bytes;
    const first = bytes[offset] ?? 0;
    if (first >> 4 === 4) {
      const udp = bytes[offset + 9] === PROTOCOL_UDP && (this.#short(offset + 6) & 0x1fff) === 0;
      return udp ? (first & 15) * 4 : 0;
    }
    if (bytes[offset + 6] === PROTOCOL_UDP) return 40;
    if (bytes[offset + 6] !== FRAGMENT || length < 48) return 0;
    const begins = (this.#short(offset + 42) & 0xfff8) === 0;
    return begins && bytes[offset + 40] === PROTOCOL_UDP ? 48 : 0;
  }

  #leadsTo(endpoint: Endpoint, offset: number): boolean {
    const version = (this.#bytes[offset] ?? 0) >> 4;
    if (version !== endpoint.family) return false;
    const at = offset + (version === 4 ? 16 : 24);
    const words = version === 4 ? 1 : 4;
    for (let word = 0; word < words; word++) {
      if (this.#word(at + 4 * word) !== endpoint.words[1 + word]) return false;
    }
    return true;
  }

  #short(at: number): number {
    return ((this.#bytes[at] ?? 0) << 8) | (this.#bytes[at + 1] ?? 0);
  }

  #word(at: number): number {
    return ((this.#short(at) << 16) | this.#short(at + 2)) >>> 0;
  }

  #littleWord(at: number): number {
    const bytes = this.#bytes;
    return ((bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16) |
      ((bytes[at + 3] ?? 0) << 24)) >>> 0;
  }
}
