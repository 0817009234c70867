/** Whether so many handshakes arrive that senders must prove their address first (section 5.3). */
import { LOAD_HANDSHAKES_PER_SECOND, LOAD_LINGER } from "./choices.ts";

export class LoadMeter {
  readonly #limit: number;
  #windowStart = -Infinity;
  #count = 0;
  #loadedUntil = -Infinity;

  constructor(limit: number = LOAD_HANDSHAKES_PER_SECOND) {
    this.#limit = limit;
  }

  /** Counts one handshake message. */
  count(now: number): void {
    if (now - this.#windowStart >= 1000) {
      this.#windowStart = now;
      this.#count = 0;
    }
    this.#count++;
    if (this.#count > this.#limit) this.mark(now);
  }

  /** Something else says that there is too much to do. */
  mark(now: number): void {
    this.#loadedUntil = now + LOAD_LINGER;
  }

  underLoad(now: number): boolean {
    return now < this.#loadedUntil;
  }
}
