/**
 * Watches every reader. Waits are short slices in pcscd's own wait, which returns as soon as pcscd
 * sees a change; between slices the list of readers is asked again.
 */
import { PcscContext } from "./context.ts";
import { ReaderStates } from "./reader_states.ts";
import { PcscError, type ReaderMonitor, type ReaderMonitorListener } from "./types.ts";
import type { ReaderState } from "./types.ts";
import { MOST_READERS, PNP_NOTIFICATION } from "./winscard.ts";

const SLICE_MS = 250;
const RETRY_MS = 500;
/** Readers that vanish between list and look, one right after the other, before it counts as a fault. */
const MOST_MISSED = MOST_READERS;

/** Starts watching; see {@linkcode ReaderMonitorListener}. */
export function startReaderMonitor(listener: ReaderMonitorListener): ReaderMonitor {
  const watch = new Watch(listener);
  const done = watch.run();
  return {
    async stop() {
      await watch.stop();
      await done;
    },
  };
}

class Watch {
  readonly #listener: ReaderMonitorListener;
  #stopped = false;
  #context: PcscContext | undefined;
  #wake: (() => void) | undefined;
  /** What was last told; `undefined` before the first look. */
  #told: string | undefined;

  constructor(listener: ReaderMonitorListener) {
    this.#listener = listener;
  }

  async run(): Promise<void> {
    let serving = true;
    while (!this.#stopped) {
      try {
        this.#context = await PcscContext.establish();
        // A service that is back is told of, even when it has no reader.
        if (!serving) this.#told = undefined;
        serving = true;
        await this.#follow(this.#context);
      } catch (error) {
        if (!(error instanceof PcscError)) throw error;
        if (serving && !this.#stopped) this.#listener.onError(error);
        serving = false;
        this.#tell([]);
      } finally {
        await this.#context?.release();
        this.#context = undefined;
      }
      if (!this.#stopped) await this.#pause();
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#wake?.();
    await this.#context?.cancel();
  }

  /** Follows one connection until it breaks. */
  async #follow(context: PcscContext): Promise<void> {
    let states = new ReaderStates([]);
    let known = "";
    let missed = 0;
    while (!this.#stopped) {
      const names = await context.listReaders();
      const isNew = states.names.length === 0 || known !== names.join("\0");
      if (isNew) {
        known = names.join("\0");
        // Where there are as many as can be, none can come, and one entry more would be refused.
        const canCome = names.length < MOST_READERS;
        states = new ReaderStates(canCome ? [...names, PNP_NOTIFICATION] : names);
        // Nothing is expected of new entries, so this look returns at once. The last entry has to
        // hold the number of readers, or pcscd takes the list itself for a change.
        if (canCome) states.expect(names.length, names.length << 16);
      }
      try {
        await context.statusChange(states, isNew && names.length === 0 ? 0 : SLICE_MS);
        missed = 0;
      } catch (error) {
        // One was unplugged after it was listed, which says nothing of the others: listed anew.
        const isGone = error instanceof PcscError && error.fault === "no-reader";
        if (!isGone || ++missed > MOST_MISSED) throw error;
        continue;
      }
      if (this.#stopped) return;
      states.settle();
      const readers = names.map((_, index) => states.reader(index));
      this.#tell(readers.filter((reader) => reader !== undefined));
    }
  }

  #tell(readers: readonly ReaderState[]): void {
    const now = JSON.stringify(readers.map((one) => ({ ...one, atr: [...one.atr] })));
    if (this.#stopped || now === this.#told) return;
    this.#told = now;
    this.#listener.onChange(readers);
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, RETRY_MS);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
