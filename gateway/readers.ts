/** The readers that this gateway uses, watched, and whether the PC/SC service is there at all. */
import { startReaderMonitor } from "../token/pcsc/monitor.ts";
import { Settling } from "../token/pcsc/settling.ts";
import type { ReaderMonitor, ReaderState as PcscReader } from "../token/pcsc/types.ts";
import type { ReaderState } from "./session/events.ts";
import type { ReaderView } from "./view.ts";

export class Readers {
  readonly #monitor: ReaderMonitor;
  readonly #only: string | undefined;
  readonly #onChange: (readers: readonly ReaderState[]) => void;
  /** Bouncing contacts end here; removals pass at once. */
  readonly #settling = new Settling();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #stopped = false;
  #readers: readonly ReaderState[] = [];
  #fault: string | undefined;
  /** The service was lost just now: the empty list that follows says nothing of readers. */
  #lost = false;

  /** Watches every reader, or the one whose name is `only`. */
  constructor(
    only: string | undefined,
    listener: {
      onChange: (readers: readonly ReaderState[]) => void;
      onLost: (reason: string) => void;
      /** What watches; PC/SC's own monitor unless told. */
      watch?: typeof startReaderMonitor;
    },
  ) {
    this.#only = only;
    this.#onChange = listener.onChange;
    const watch = listener.watch ?? startReaderMonitor;
    this.#monitor = watch({
      onChange: (readers) => this.#take(readers),
      onError: (error) => {
        this.#fault = error.message;
        this.#lost = true;
        listener.onLost(error.message);
      },
    });
  }

  view(): ReaderView[] {
    return this.#readers.map(({ name, card }) => ({ name, card }));
  }

  warnings(): string[] {
    if (this.#fault !== undefined) return [this.#fault];
    if (this.#readers.length > 0) return [];
    return [
      this.#only === undefined
        ? "No card reader is connected."
        : `The card reader "${this.#only}" is not connected.`,
    ];
  }

  stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    return this.#monitor.stop();
  }

  #take(all: readonly PcscReader[]): void {
    if (!this.#lost) this.#fault = undefined;
    this.#lost = false;
    const used = all.filter((one) => this.#only === undefined || one.name === this.#only);
    this.#tell(this.#settling.take(used, performance.now()));
  }

  #tell(settled: readonly PcscReader[]): void {
    this.#readers = settled.map(({ name, card, events }) => ({ name, card, counter: events }));
    this.#onChange(this.#readers);
    clearTimeout(this.#timer);
    const { deadline } = this.#settling;
    if (deadline === undefined || this.#stopped) return;
    const delay = Math.max(0, Math.ceil(deadline - performance.now()));
    this.#timer = setTimeout(() => this.#tell(this.#settling.tick(performance.now())), delay);
  }
}
