/** Tells when one card leaves its reader. */
import type { PcscContext } from "./context.ts";
import type { ReaderStates } from "./reader_states.ts";
import { PcscError } from "./types.ts";

const SLICE_MS = 250;

/**
 * Watches with a context that from now on belongs to the watch. `removed` resolves when the card,
 * its reader or pcscd is gone, and stays open for ever once `stop` was called before.
 */
export function watchRemoval(
  context: PcscContext,
  card: { states: ReaderStates; events: number },
): { removed: Promise<void>; stop: () => Promise<void> } {
  let stopped = false;
  let tell: () => void = () => {};
  const removed = new Promise<void>((resolve) => tell = resolve);
  const done = follow();
  return {
    removed,
    async stop() {
      stopped = true;
      await context.cancel();
      await done;
    },
  };

  async function follow(): Promise<void> {
    try {
      while (!stopped && isThere(card)) {
        card.states.settle();
        await context.statusChange(card.states, SLICE_MS);
      }
    } catch (error) {
      // Without pcscd nobody knows whether the card is there: it counts as gone.
      if (!(error instanceof PcscError)) throw error;
    } finally {
      if (!stopped) tell();
      await context.release();
    }
  }
}

function isThere(card: { states: ReaderStates; events: number }): boolean {
  const state = card.states.reader(0);
  return state !== undefined && state.card === "present" && state.events === card.events;
}
