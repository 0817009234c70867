/** Datagrams on their way from a socket to the core, each at an aligned place of the arena. */
import type { PacketMemory } from "../offload/packet_memory.ts";
import { Endpoint } from "../protocol/endpoint.ts";
import { FROM_UDP, IN_END, IN_START } from "./arena.ts";
import type { UdpSocket } from "./udp.ts";

/** Calls before other sources get their turn. */
const BATCH = 64;

export interface Arrival {
  /** Overwritten by the next one. */
  readonly source: Endpoint;
  now: number;
}

export interface UdpTarget {
  /** Whether no more datagrams can be kept. */
  isFull(): boolean;
  /** What was kept must go now; `roomMade` says that it went. */
  makeRoom(): void;
  /** A datagram lies at `offset`, a multiple of 16, and stays there until `roomMade`. */
  datagram(offset: number, length: number, arrival: Arrival): void;
  /** Something came that can't be a datagram of ours. */
  unusable(reason: "oversized" | "malformed"): void;
}

export class UdpReceiver {
  readonly #memory: PacketMemory;
  readonly #target: UdpTarget;
  /** Who sent the datagram being handled, and when: one object for all of them. */
  readonly #arrival: Arrival = { source: new Endpoint(), now: 0 };
  #next = IN_START;

  constructor(memory: PacketMemory, target: UdpTarget) {
    this.#memory = memory;
    this.#target = target;
  }

  /** Takes what is there now, up to a limit. */
  receiveSome(socket: UdpSocket, at: { now: number; generation: number }): void {
    const { source } = this.#arrival;
    this.#arrival.now = at.now;
    for (let count = 0; count < BATCH; count++) {
      const length = socket.receive(source, at.generation);
      if (length === 0) return;
      if (length < 0) {
        this.#target.unusable(socket.truncated ? "oversized" : "malformed");
        continue;
      }
      const size = Math.max(1, socket.segmentSize);
      for (let start = 0; start < length; start += size) {
        this.#take(FROM_UDP + start, Math.min(size, length - start));
      }
    }
  }

  /** All places are free again. */
  roomMade(): void {
    this.#next = IN_START;
  }

  #take(from: number, length: number): void {
    const needed = (length + 15) & ~15;
    if (this.#next + needed > IN_END || this.#target.isFull()) this.#target.makeRoom();
    const offset = this.#next;
    this.#next += needed;
    this.#memory.copy(offset, from, length);
    this.#target.datagram(offset, length, this.#arrival);
  }
}
