/** Clocks that `performance.now()` doesn't have. */
import { libc } from "./libc.ts";

const CLOCK_MONOTONIC = 1;
const CLOCK_BOOTTIME = 7;
const words = new Uint32Array(4);
const bytes = new Uint8Array(words.buffer);

/** Milliseconds since boot, sleep included; never steps back. clock_gettime(2) */
export function bootTime(): number {
  return read(CLOCK_BOOTTIME);
}

/** Milliseconds since boot that the machine was awake; never steps back. clock_gettime(2) */
export function awakeTime(): number {
  return read(CLOCK_MONOTONIC);
}

function read(clock: number): number {
  libc.clock_gettime(clock, bytes);
  const seconds = (words[0] ?? 0) + (words[1] ?? 0) * 2 ** 32;
  return seconds * 1000 + (words[2] ?? 0) / 1e6;
}
