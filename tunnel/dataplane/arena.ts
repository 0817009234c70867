/**
 * The one buffer in which all packets of a worker lie, with its address, so that system calls can
 * be told where to read and write. It lives as long as the worker.
 *
 * Parts: where a read from the TUN lands, where a datagram lands, packets on their way out, packets
 * on their way in.
 */
import { addressOf } from "../../os/libc.ts";

const LARGEST = 65536 + 512;
const OUT_BYTES = 1 << 20;
const IN_BYTES = 1 << 20;

export const FROM_TUN = 64;
export const FROM_UDP = FROM_TUN + LARGEST;
export const OUT_START = FROM_UDP + LARGEST;
export const OUT_END = OUT_START + OUT_BYTES;
export const IN_START = OUT_END;
export const IN_END = IN_START + IN_BYTES;
/** The most that one read can bring. */
export const READ_LIMIT = 65536 + 256;

/** A buffer with a known address, and how to write addresses into C structures. */
export class Arena {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Addresses are below 2^47, so a number holds them. */
  readonly #base: number;

  /** Of bytes that never move, or of so many of its own. */
  constructor(bytes: Uint8Array<ArrayBuffer> | number = IN_END) {
    this.bytes = typeof bytes === "number" ? new Uint8Array(bytes) : bytes;
    this.#base = Number(addressOf(this.bytes));
  }

  address(offset: number): number {
    return this.#base + offset;
  }
}

/** Writes a 64-bit value below 2^53 at word `index`. */
export function writeLong(words: Uint32Array, index: number, value: number): void {
  words[index] = value;
  words[index + 1] = Math.floor(value / 2 ** 32);
}
