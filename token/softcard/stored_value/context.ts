import type { CommandApdu } from "../../apdu/command.ts";
import type { ResponseApdu } from "../../apdu/response.ts";
import type { Asked } from "../../stored_value/keys.ts";
import type { CardCrypto } from "../crypto.ts";
import type { CardMemory, CardScript } from "../memory.ts";
import type { PurseState } from "./state.ts";

/** What the purse knows only while it has power and is selected. */
export interface PurseSession {
  isVerified: boolean;
  /** A PIN was given and not used for a debit yet. */
  isPinFresh: boolean;
  /** What the issuer may consent to, once, where it is no credit; those are in the state. */
  pending: Asked | undefined;
}

/** What every command of an installed purse works with. */
export interface PurseContext {
  readonly memory: CardMemory;
  readonly crypto: CardCrypto;
  readonly session: PurseSession;
  readonly purse: PurseState;
  /** Has the changed purse saved; `false`: it wasn't, and nothing happened. */
  save(change: Partial<PurseState>): CardScript<boolean>;
}

/** One command of the purse. */
export type PurseCommand = (
  context: PurseContext,
  apdu: CommandApdu,
) => ResponseApdu | CardScript<ResponseApdu>;
