/** A purse on a software card for tests, with its power in hand, and the issuer's keys to it. */
import { type CardChannel, CardGoneError } from "../apdu/channel.ts";
import { SoftCard } from "../softcard/card.ts";
import type { CardState } from "../softcard/state.ts";
import { cheapCard, countingCrypto } from "../softcard/test_card.ts";
import { StoredValueClient } from "./client.ts";
import { cardKeys, type MasterKeys } from "./keys.ts";
import type { DebitOrder, Limits } from "./wire.ts";

/** Japanese yen. */
export const YEN = 392;
export const CARD_ID: Uint8Array = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
export const PIN: Uint8Array = digits("2468");
export const MASTERS: MasterKeys = {
  load: new Uint8Array(32).fill(1),
  settlement: new Uint8Array(32).fill(2),
  receipt: new Uint8Array(32).fill(3),
};
export const LIMITS: Limits = {
  balance: 50_000,
  debit: 20_000,
  withoutPin: 3_000,
  withoutPinTotal: 5_000,
};

/** Where the power goes during the next command. */
export type Cut =
  /** Right before, or right after, the n-th save is durable. */
  | { readonly at: "before-save" | "after-save"; readonly save: number }
  /** When everything is done, and the answer isn't out yet. */
  | { readonly at: "answer" };

/** A card whose power goes where a test wants. After a cut it is out until {@linkcode insert}. */
export class PurseInProcess implements CardChannel {
  /** What is durable. */
  state: CardState = cheapCard();
  /** Commands seen, oldest first. */
  readonly commands: Uint8Array[] = [];
  #card: SoftCard | undefined;
  #cut: Cut | undefined;

  insert(): void {
    this.#card = new SoftCard(this.state, countingCrypto());
  }

  pull(): void {
    this.#card = undefined;
  }

  cutPower(cut: Cut | undefined): void {
    this.#cut = cut;
  }

  // deno-lint-ignore require-await
  async transmit(command: Uint8Array): Promise<Uint8Array> {
    this.commands.push(command.slice());
    if (this.#card === undefined) throw new CardGoneError("No card");
    const cut = this.#cut;
    this.#cut = undefined;
    const script = this.#card.transmit(command);
    let saves = 0;
    let step = script.next();
    while (!step.done) {
      saves++;
      const isHere = cut !== undefined && cut.at !== "answer" && cut.save === saves;
      if (isHere && cut.at === "before-save") this.#goes();
      this.state = step.value;
      if (isHere) this.#goes();
      step = script.next(true);
    }
    if (cut?.at === "answer") this.#goes();
    return step.value.slice();
  }

  #goes(): never {
    this.#card = undefined;
    throw new CardGoneError("The power is cut");
  }
}

/** A card with a purse of this file's keys, selected. */
export async function newPurse(
  options: { pin?: Uint8Array; limits?: Limits } = { pin: PIN },
): Promise<{ card: PurseInProcess; client: StoredValueClient }> {
  const card = new PurseInProcess();
  card.insert();
  const client = new StoredValueClient(card);
  await client.select();
  await client.install({
    cardId: CARD_ID,
    currency: YEN,
    limits: options.limits ?? LIMITS,
    keys: cardKeys(MASTERS, CARD_ID),
    ...(options.pin === undefined ? {} : { pin: options.pin }),
  });
  return { card, client };
}

/** An order of a merchant `party` (one letter), by its reference. */
export function order(amount: number, party: string, reference: number): DebitOrder {
  return {
    amount,
    currency: YEN,
    party: partyId(party),
    reference: new Uint8Array(8).fill(reference),
    time: 1_800_000_000,
  };
}

/** A PIN as its ASCII digits. */
export function digits(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export function partyId(letter: string): Uint8Array {
  return new Uint8Array(8).fill(letter.charCodeAt(0));
}
