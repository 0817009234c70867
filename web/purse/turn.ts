/** Runs in browsers. The page's turns at the card: takes one when it needs it, and gives it back. */
import { CardGoneError } from "../../token/apdu/channel.ts";
import { StoredValueClient } from "../../token/stored_value/client.ts";
import { PurseRefusedError } from "../../token/stored_value/client_errors.ts";
import type { LeaseView } from "../../gateway/view.ts";
import { LeaseChannel } from "./lease_channel.ts";

/** Where a page stands in line. */
export interface Waiting {
  readonly place: number | undefined;
  readonly holder: string | undefined;
}

export class Turn {
  readonly #onWaiting: (waiting: Waiting) => void;
  #lease: LeaseChannel | undefined;

  constructor(onWaiting: (waiting: Waiting) => void) {
    this.#onWaiting = onWaiting;
  }

  /**
   * The purse, selected. A turn that has ended in the meantime is taken anew: so far nothing was
   * asked of the purse.
   * @throws {LeaseRefusedError} when the card can't be waited for.
   * @throws {CardGoneError} when waiting ended otherwise.
   * @throws {PurseRefusedError} when there is no purse on the card.
   */
  async purse(): Promise<StoredValueClient> {
    if (this.#lease !== undefined) {
      try {
        return await this.#select(this.#lease);
      } catch (error) {
        if (!(error instanceof CardGoneError)) throw error;
        this.#lease = undefined;
      }
    }
    this.#lease = await LeaseChannel.open((lease) => this.#onWaiting(placeOf(lease)));
    return await this.#select(this.#lease);
  }

  /** Shows the purse its PIN; its status word. The caller has just selected it. */
  async enterPin(digits: Uint8Array): Promise<number> {
    if (this.#lease === undefined) throw new CardGoneError("No lease");
    return await this.#lease.enterPin(digits);
  }

  async end(): Promise<void> {
    const lease = this.#lease;
    this.#lease = undefined;
    await lease?.close();
  }

  async giveUp(): Promise<void> {
    await fetch("/api/v1/card/give-up", { method: "POST" });
  }

  async #select(lease: LeaseChannel): Promise<StoredValueClient> {
    const client = new StoredValueClient(lease);
    if (await client.select()) return client;
    throw new PurseRefusedError("open the purse", 0x6a82, "no-purse");
  }
}

function placeOf(lease: LeaseView): Waiting {
  const isWaiting = lease.state === "waiting";
  return {
    place: isWaiting ? lease.place : undefined,
    holder: isWaiting ? lease.holder : undefined,
  };
}
