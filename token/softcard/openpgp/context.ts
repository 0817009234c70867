import type { CommandApdu } from "../../apdu/command.ts";
import type { ResponseApdu } from "../../apdu/response.ts";
import type { CardCrypto } from "../crypto.ts";
import type { CardMemory, CardScript } from "../memory.ts";
import type { KeyName, KeyPlace, OpenPgpState } from "./state.ts";
import type { OpenPgpSession } from "./session.ts";

/** What every OpenPGP command works with. */
export interface OpenPgpContext {
  readonly memory: CardMemory;
  readonly crypto: CardCrypto;
  readonly session: OpenPgpSession;
  /** As it was when the command began. */
  readonly state: OpenPgpState;
  /** Has a change saved; `false`: it wasn't, and nothing happened. */
  save(change: Partial<OpenPgpState>): CardScript<boolean>;
}

/** One command of the OpenPGP application. */
export type OpenPgpCommand = (
  context: OpenPgpContext,
  apdu: CommandApdu,
) => ResponseApdu | CardScript<ResponseApdu>;

/** The keys with one place changed. */
export function withPlace(
  state: OpenPgpState,
  name: KeyName,
  change: Partial<KeyPlace>,
): Pick<OpenPgpState, "keys"> {
  return { keys: { ...state.keys, [name]: { ...state.keys[name], ...change } } };
}
