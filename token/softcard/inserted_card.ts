import type { SoftCard } from "./card.ts";
import type { CardState } from "./state.ts";

/** Runs a card's scripts: every state is saved before the script goes on. */
export class InsertedCard {
  readonly #card: SoftCard;
  readonly #save: (state: CardState) => boolean;

  /** `save` returns only when the state is durable, or `false` when it couldn't be saved. */
  constructor(card: SoftCard, save: (state: CardState) => boolean) {
    this.#card = card;
    this.#save = save;
  }

  get state(): CardState {
    return this.#card.state;
  }

  powerUp(): void {
    this.#card.powerUp();
  }

  transmit(command: Uint8Array): Uint8Array {
    const script = this.#card.transmit(command);
    let step = script.next();
    while (!step.done) step = script.next(this.#save(step.value));
    return step.value;
  }
}
