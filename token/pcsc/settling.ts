/**
 * What the readers report goes in; what may be acted on comes out: a card that leaves is told at
 * once, one that comes back within {@linkcode SETTLE_MS} of leaving only when it has stayed for so
 * long. @core
 */
import type { ReaderState } from "./types.ts";

/**
 * Our own choice, in milliseconds. Contacts of a card that slides in or is pressed bounce for some
 * tens of milliseconds, and a reader reports each touch as a card of its own; nobody pulls a card
 * and puts one back in less than this. Without the wait every bounce would start a session, power a
 * card whose contacts do not hold yet, and take it for a broken one. Removal never waits: keys die
 * with the first loss of contact.
 */
export const SETTLE_MS = 200;

/** One reader as it was last reported. */
interface Known {
  readonly state: ReaderState;
  /** When its card was last seen to be gone, in steady milliseconds. */
  readonly leftAt: number | undefined;
  /** Until when its card is held back; `undefined`: it isn't. */
  readonly heldUntil: number | undefined;
}

/** The readers of one machine. `now` is in milliseconds of a clock that never jumps. */
export class Settling {
  #known: ReadonlyMap<string, Known> = new Map();
  /** Readers that vanished with a card in them, and when: they may only have lost contact. */
  #vanished: ReadonlyMap<string, number> = new Map();
  #held = 0;

  /** How many insertions were held back until now. */
  get held(): number {
    return this.#held;
  }

  /** When {@linkcode tick} is needed; `undefined`: nothing is held back. */
  get deadline(): number | undefined {
    const times = [...this.#known.values()].flatMap(({ heldUntil }) => heldUntil ?? []);
    return times.length === 0 ? undefined : Math.min(...times);
  }

  /** Takes a report and returns what may be acted on now. */
  take(readers: readonly ReaderState[], now: number): ReaderState[] {
    const known = new Map(readers.map((state) => [state.name, this.#next(state, now)]));
    const vanished = new Map([...this.#vanished].filter(([, at]) => now - at < SETTLE_MS));
    for (const [name, { state, leftAt }] of this.#known) {
      if (known.has(name)) continue;
      const at = state.card === "absent" ? leftAt : now;
      if (at !== undefined) vanished.set(name, at);
    }
    this.#known = known;
    this.#vanished = vanished;
    return this.#told();
  }

  /** Lets go what has stayed long enough; returns what may be acted on now. */
  tick(now: number): ReaderState[] {
    this.#known = new Map(
      [...this.#known].map(([name, one]) => {
        const isDue = one.heldUntil !== undefined && one.heldUntil <= now;
        return [name, isDue ? { ...one, heldUntil: undefined } : one];
      }),
    );
    return this.#told();
  }

  #next(state: ReaderState, now: number): Known {
    const before = this.#known.get(state.name);
    const had = before !== undefined && before.state.card !== "absent";
    const isSame = had && before.state.events === state.events;
    if (state.card === "absent") {
      return { state, leftAt: had ? now : this.#leftAt(state.name), heldUntil: undefined };
    }
    if (isSame) return { ...before, state };
    // Another count while a card was there: it left and came back between two reports.
    const leftAt = had ? now : this.#leftAt(state.name);
    const isBack = leftAt !== undefined && now - leftAt < SETTLE_MS;
    if (isBack) this.#held++;
    return { state, leftAt, heldUntil: isBack ? now + SETTLE_MS : undefined };
  }

  #leftAt(name: string): number | undefined {
    return this.#known.get(name)?.leftAt ?? this.#vanished.get(name);
  }

  /** A card that is held back is not there yet. */
  #told(): ReaderState[] {
    return [...this.#known.values()].map(({ state, heldUntil }) =>
      heldUntil === undefined ? state : { ...state, card: "absent", atr: new Uint8Array(0) }
    );
  }
}
