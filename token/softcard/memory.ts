/** A command asks for every state to be saved before it goes on; who saves is outside. @core */
import type { CardState } from "./state.ts";

/**
 * One command's work. It yields every state that must be durable before the work may go on, takes
 * back whether the save succeeded, and ends with a result.
 */
export type CardScript<Result> = Generator<CardState, Result, boolean>;

/** The state that counts: the last one that was saved. */
export class CardMemory {
  #state: CardState;

  constructor(state: CardState) {
    this.#state = state;
  }

  get state(): CardState {
    return this.#state;
  }

  /** Has a new state saved. `false`: it was not, and the former one still counts. */
  *save(next: CardState): CardScript<boolean> {
    const saved = yield next;
    if (saved) this.#state = next;
    return saved;
  }

  /** {@linkcode save} for a change inside the PIV application. */
  *savePiv(change: Partial<CardState["piv"]>): CardScript<boolean> {
    return yield* this.save({ ...this.#state, piv: { ...this.#state.piv, ...change } });
  }
}
