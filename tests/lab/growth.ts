/** Files that downloads write: when one has begun, and that it has ended. */
import { sleep } from "./machine.ts";

/** Guards against hanging, not measures. */
const BEGIN_MS = 30_000;
const SETTLE_MS = 10_000;
/** What was on its way is written within this time, even by a machine with other things to do. */
const QUIET_MS = 700;

/** Bytes that are there; 0 for a file that isn't. */
export function sizeOf(path: string): number {
  try {
    return Deno.statSync(path).size;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return 0;
  }
}

/** Waits until a file holds more than so many bytes. */
export async function untilLarger(path: string, bytes: number): Promise<void> {
  for (const end = Date.now() + BEGIN_MS; sizeOf(path) <= bytes; await sleep(20)) {
    if (Date.now() > end) throw new Error(`Waited in vain for ${bytes} bytes in ${path}`);
  }
}

/**
 * The size of a file that grows no more. What was under way when its source was cut off may still
 * have to be written.
 * @throws {Error} when it goes on growing.
 */
export async function settledSize(path: string): Promise<number> {
  let [size, since] = [sizeOf(path), performance.now()];
  for (const begin = since; performance.now() - since < QUIET_MS; await sleep(20)) {
    const now = sizeOf(path);
    if (now !== size) [size, since] = [now, performance.now()];
    if (since - begin > SETTLE_MS) throw new Error(`${path} goes on growing: ${size} bytes`);
  }
  return size;
}
