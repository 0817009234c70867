/** A software card in this process behind the channel that programs use, with its power in hand. */
import { type CardChannel, CardGoneError } from "../../token/apdu/channel.ts";
import { SoftCard } from "../../token/softcard/card.ts";
import type { CardState } from "../../token/softcard/state.ts";
import { cheapCard, countingCrypto } from "../../token/softcard/test_card.ts";

export class CardInProcess implements CardChannel {
  /** Commands seen, oldest first. */
  readonly commands: Uint8Array[] = [];
  /** What the card has saved. */
  state: CardState;
  #card: SoftCard;
  #savesLeft = Infinity;

  constructor(state: CardState = cheapCard()) {
    this.state = state;
    this.#card = new SoftCard(state, countingCrypto());
  }

  /** Cuts the power right before the state would be saved for the n-th time from now on. */
  cutPowerAtSave(n: number): void {
    this.#savesLeft = n;
  }

  /** Pulls the card and inserts it again, with what it had saved. */
  reinsert(): void {
    this.#savesLeft = Infinity;
    this.#card = new SoftCard(this.state, countingCrypto());
  }

  // deno-lint-ignore require-await
  async transmit(command: Uint8Array): Promise<Uint8Array> {
    this.commands.push(command.slice());
    const script = this.#card.transmit(command);
    let step = script.next();
    while (!step.done) {
      if (--this.#savesLeft < 0) throw new CardGoneError("The power is cut");
      this.state = step.value;
      step = script.next(true);
    }
    return step.value.slice();
  }
}

/** A channel that answers what it is told, in order, for answers that no good card gives. */
export function scripted(...answers: readonly Uint8Array[]): CardChannel {
  const left = [...answers];
  return {
    transmit: () => Promise.resolve(left.shift() ?? Uint8Array.of(0x6f, 0x00)),
  };
}
