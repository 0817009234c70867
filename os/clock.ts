/** Clocks that `performance.now()` doesn't have. */
import { libc } from "./libc.ts";

const CLOCK_BOOTTIME = 7;
const words = new Uint32Array(4);
const bytes = new Uint8Array(words.buffer);

/** Milliseconds since boot, sleep included; never steps back. clock_gettime(2) */
export function bootTime(): number {
  libc.clock_gettime(CLOCK_BOOTTIME, bytes);
  const seconds = (words[0] ?? 0) + (words[1] ?? 0) * 2 ** 32;
  return seconds * 1000 + (words[2] ?? 0) / 1e6;
}
