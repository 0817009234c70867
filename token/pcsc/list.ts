/** One look at the readers. */
import { PcscContext } from "./context.ts";
import { ReaderStates } from "./reader_states.ts";
import type { ReaderState } from "./types.ts";

/**
 * Every reader and what is in it now.
 * @throws {PcscError} "no-service" when pcscd does not answer.
 */
export async function listReaders(): Promise<ReaderState[]> {
  const context = await PcscContext.establish();
  try {
    const names = await context.listReaders();
    if (names.length === 0) return [];
    const states = new ReaderStates(names);
    await context.statusChange(states, 1000);
    return names.map((_, index) => states.reader(index)).filter((one) => one !== undefined);
  } finally {
    await context.release();
  }
}
