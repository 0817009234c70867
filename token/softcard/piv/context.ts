import type { CommandApdu } from "../../apdu/command.ts";
import type { ResponseApdu } from "../../apdu/response.ts";
import type { CardCrypto } from "../crypto.ts";
import type { CardMemory, CardScript } from "../memory.ts";
import type { PivSession } from "./session.ts";

/** What every PIV command works with. */
export interface PivContext {
  readonly memory: CardMemory;
  readonly crypto: CardCrypto;
  readonly session: PivSession;
}

/** One command of the PIV application: an answer at once, or a script when it changes the state. */
export type PivCommand = (
  context: PivContext,
  apdu: CommandApdu,
) => ResponseApdu | CardScript<ResponseApdu>;
