/** Packets from the TUN on their way to the core: cut where they are large, checksums finished. */
import type { PacketMemory } from "../offload/packet_memory.ts";
import { finishChecksum, split, type TunPacket } from "../offload/split.ts";
import {
  emptyVnetHeader,
  GSO_NONE,
  NEEDS_CHECKSUM,
  readVnetHeader,
} from "../offload/vnet_header.ts";
import { FROM_TUN } from "./arena.ts";
import type { Tun } from "./tun.ts";

/** Reads before other sources get their turn. */
const BATCH = 64;

export interface TunTarget {
  /** A place for a packet of `length` bytes. */
  reserve(length: number): number;
  /** A packet lies at a place that was reserved for it. */
  packet(offset: number, length: number): void;
  /** What was read isn't what its virtio_net_hdr says. */
  malformed(): void;
}

export class TunReader {
  readonly #tun: Tun;
  readonly #memory: PacketMemory;
  readonly #target: TunTarget;
  /** What was read last: one object for all. */
  readonly #packet: TunPacket = { offset: FROM_TUN, length: 0, header: emptyVnetHeader() };
  readonly #segments = {
    place: (length: number) => this.#target.reserve(length),
    done: (offset: number, length: number) => this.#target.packet(offset, length),
  };

  constructor(tun: Tun, parts: { memory: PacketMemory; target: TunTarget }) {
    this.#tun = tun;
    this.#memory = parts.memory;
    this.#target = parts.target;
  }

  /** Takes what is there now, up to a limit. Throws TunGone. */
  readSome(): void {
    const tun = this.#tun;
    for (let count = 0; count < BATCH; count++) {
      const length = tun.read();
      if (length === 0) return;
      if (tun.offloads) this.#takeWithHeader(length);
      else this.#take(length);
    }
  }

  #take(length: number): void {
    const offset = this.#target.reserve(length);
    this.#memory.copy(offset, FROM_TUN, length);
    this.#target.packet(offset, length);
  }

  #takeWithHeader(length: number): void {
    const packet = this.#packet;
    const { header } = packet;
    packet.length = length;
    readVnetHeader(this.#tun.readHeader, header);
    if (header.gsoType !== GSO_NONE) {
      if (!split(this.#memory, packet, this.#segments)) this.#target.malformed();
    } else if ((header.flags & NEEDS_CHECKSUM) !== 0) {
      const offset = this.#target.reserve(length);
      if (finishChecksum(this.#memory, packet, offset)) this.#target.packet(offset, length);
      else this.#target.malformed();
    } else {
      this.#take(length);
    }
  }
}
