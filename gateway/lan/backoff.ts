/** How long to wait before starting a failing process again. No clock: times go in. */
export const FIRST_WAIT_MS = 100;
export const LONGEST_WAIT_MS = 10_000;
/** A run of this length makes earlier failures forgotten. */
export const STABLE_MS = 30_000;

export class Backoff {
  #failures = 0;

  /** Failures in a row. */
  get failures(): number {
    return this.#failures;
  }

  /** To be told how long the process ran; gives the milliseconds to wait. */
  next(ranMs: number): number {
    this.#failures = ranMs >= STABLE_MS ? 1 : this.#failures + 1;
    return Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (this.#failures - 1));
  }
}
