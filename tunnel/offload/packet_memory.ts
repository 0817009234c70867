/**
 * The memory in which packets lie, and the two things that are done to whole packets: copying and
 * summing. Where there is WebAssembly with vectors it does them, several times faster.
 */
import { sumWords } from "./checksum.ts";
import { simdFunctions } from "./simd.ts";

/** One buffer seen as bytes and as words. It stays where it is. */
export interface PacketMemory {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly words: Uint32Array;
  /** Sum of `length` bytes (up to 65,535) at `from`, a multiple of 4, for `fold`; `>>> 0` first. */
  sum(from: number, length: number): number;
  /** Copies between parts that don't overlap, and gives the sum; `to` is a multiple of 4. */
  copySum(to: number, from: number, length: number): number;
  /** Copies between parts that don't overlap. */
  copy(to: number, from: number, length: number): void;
}

const PAGE = 65_536;

/** At least `length` bytes. */
export function packetMemory(length: number): PacketMemory {
  return simdMemory(length) ?? plainMemory(length);
}

/** Undefined where there is no WebAssembly with vectors, or no address space for its memory. */
export function simdMemory(length: number): PacketMemory | undefined {
  const pages = Math.ceil(length / PAGE);
  let memory: WebAssembly.Memory;
  try {
    // It can't grow, so its buffer is never replaced by another one.
    memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  } catch {
    return undefined;
  }
  const functions = simdFunctions(memory);
  if (functions === undefined) return undefined;
  const buffer = memory.buffer as ArrayBuffer;
  return {
    bytes: new Uint8Array(buffer),
    words: new Uint32Array(buffer),
    sum: functions.sum,
    copySum: functions.copySum,
    copy: functions.copy,
  };
}

export function plainMemory(length: number): PacketMemory {
  const bytes = new Uint8Array((length + 3) & ~3);
  const words = new Uint32Array(bytes.buffer);
  return {
    bytes,
    words,
    sum: (from, length) => sumWords(words, from, length),
    copySum: (to, from, length) => {
      bytes.copyWithin(to, from, from + length);
      return sumWords(words, to, length);
    },
    copy: (to, from, length) => {
      bytes.copyWithin(to, from, from + length);
    },
  };
}
