import type { CommandApdu } from "../apdu/command.ts";
import type { ResponseApdu } from "../apdu/response.ts";
import type { CardScript } from "./memory.ts";

/** One application of the card: it gets whole commands, after chaining, and gives whole answers. */
export interface CardApplication {
  /** A class that it takes beside the interindustry one (ISO 7816-4 section 5.4.1: 80 to FE). */
  readonly proprietaryClass?: number;
  /** Whether SELECT with this identifier (full, or cut on the right) means this application. */
  answersTo(aid: Uint8Array): boolean;
  /**
   * What SELECT answers. Of an application that was selected before, PIV leaves the security as it
   * is (SP 800-73-4 part 2, section 3.1.1); the others begin anew.
   */
  select(): ResponseApdu;
  /** Carries out one command. */
  handle(apdu: CommandApdu): CardScript<ResponseApdu>;
  /** Forgets everything volatile: another application was selected, or the power went. */
  deselect(): void;
}

/** An answer that is a status word only. */
export function status(sw: number): ResponseApdu {
  return { data: new Uint8Array(0), sw };
}

/** A success with data. */
export function success(data: Uint8Array): ResponseApdu {
  return { data, sw: 0x9000 };
}
