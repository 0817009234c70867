/**
 * Which sequence numbers were seen (RFC 6479): accepts each at most once, and none more than
 * `REPLAY_WINDOW - 1` behind the newest. Only authenticated numbers may be given to it.
 */
import { REPLAY_WINDOW } from "./choices.ts";

/** One word more than the window has, so that it is whole wherever in a word the newest falls. */
const WORDS = REPLAY_WINDOW / 32 + 1;

export class ReplayWindow {
  readonly #seen = new Int32Array(WORDS);
  #newest = -1;
  /** Number (not position) of the word in which the newest is. */
  #newestWord = -1;

  /** True, and remembered, if `counter` is new. */
  accept(counter: number): boolean {
    const word = Math.floor(counter / 32);
    if (counter > this.#newest) {
      this.#advance(word);
      this.#newest = counter;
    } else if (this.#newest - counter >= REPLAY_WINDOW) {
      return false;
    }
    const position = word % WORDS;
    const bit = 1 << (counter & 31);
    const seen = this.#seen[position] ?? 0;
    if ((seen & bit) !== 0) return false;
    this.#seen[position] = seen | bit;
    return true;
  }

  #advance(word: number): void {
    const steps = Math.min(word - this.#newestWord, WORDS);
    for (let step = 0; step < steps; step++) this.#seen[(word - step) % WORDS] = 0;
    this.#newestWord = word;
  }
}
