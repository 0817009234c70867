/** Engines that ended by themselves, and whether the next one is to wait for that. @core */
import { CRASH_WINDOW_MS, CRASHES } from "./limits.ts";

export class Crashes {
  #at: readonly number[] = [];

  /** One more; true: there are too many. */
  add(now: number): boolean {
    this.#at = [...this.#at.filter((at) => at > now - CRASH_WINDOW_MS), now];
    return this.#at.length >= CRASHES;
  }

  clear(): void {
    this.#at = [];
  }
}
