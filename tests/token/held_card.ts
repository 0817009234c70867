/** A card in this process, as an engine or a station holds one in a reader. */
import type { CardSession } from "../../token/pcsc/types.ts";
import { CardInProcess } from "./card_channel.ts";

export class HeldInProcess extends CardInProcess implements CardSession {
  readonly reader = "test";
  readonly atr = new Uint8Array(0);
  readonly events = 0;
  readonly removed = new Promise<void>(() => {});

  reset(): Promise<void> {
    this.reinsert();
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
