/** What a purse refuses, in words. */
import { CardGarbledError, CardRefusedError } from "../apdu/channel.ts";
import { formatStatus, SW } from "../apdu/status.ts";
import { PURSE_SW } from "./wire.ts";

/** Why a purse did not do what it was told. Money did not move. */
export type PurseRefusal =
  | "no-purse"
  | "pin-needed"
  | "insufficient-balance"
  | "over-limit"
  | "other-currency"
  | "reference-used"
  | "closed"
  | "counter-at-its-end"
  | "wrong-mac"
  | "nothing-asked"
  | "malformed"
  | "memory-failure"
  | "refused";

/** The purse refused; `reason` says why, and the message what to do. */
export class PurseRefusedError extends CardRefusedError {
  override readonly name = "PurseRefusedError";
  readonly reason: PurseRefusal;

  constructor(doing: string, sw: number, reason: PurseRefusal = reasonOf(sw)) {
    super(`Cannot ${doing}: ${ADVICE[reason]}${reason === "refused" ? formatStatus(sw) : ""}`, sw);
    this.reason = reason;
  }
}

/** `what` names the malformed thing. */
export function garbled(what: string): CardGarbledError {
  return new CardGarbledError(`Cannot use the purse: ${what} is malformed; try another card`);
}

function reasonOf(sw: number): PurseRefusal {
  switch (sw) {
    case SW.SECURITY_STATUS_NOT_SATISFIED:
      return "pin-needed";
    case PURSE_SW.insufficientBalance:
      return "insufficient-balance";
    case PURSE_SW.overLimit:
      return "over-limit";
    case PURSE_SW.otherCurrency:
      return "other-currency";
    case PURSE_SW.referenceUsed:
      return "reference-used";
    case PURSE_SW.closed:
      return "closed";
    case PURSE_SW.counterAtItsEnd:
      return "counter-at-its-end";
    case PURSE_SW.wrongMac:
      return "wrong-mac";
    case SW.CONDITIONS_NOT_SATISFIED:
      return "nothing-asked";
    case SW.INCORRECT_DATA:
    case SW.INCORRECT_P1P2:
    case SW.WRONG_LENGTH:
      return "malformed";
    case SW.MEMORY_FAILURE:
      return "memory-failure";
    case SW.FILE_NOT_FOUND:
      return "no-purse";
    default:
      return "refused";
  }
}

const ADVICE: Readonly<Record<PurseRefusal, string>> = {
  "no-purse": "the card has no purse; use one that its issuer put a purse on",
  "pin-needed": "the purse asks for its PIN first; enter it",
  "insufficient-balance": "there is too little in the purse; top it up",
  "over-limit": "the amount is above the purse's limit; choose a smaller one",
  "other-currency": "the purse holds another currency; use that one",
  "reference-used": "this reference was used for another amount; take a new one",
  "closed": "the purse is closed; ask its issuer for a new card",
  "counter-at-its-end": "the purse has made all the payments it can; ask its issuer for a new card",
  "wrong-mac": "the consent is not the issuer's, or for something else; ask again",
  "nothing-asked": "the purse has asked for nothing, or it lost power since; ask again",
  "malformed": "the purse does not take these values",
  "memory-failure": "the card's memory failed; try again, or use another card",
  "refused": "the purse answered ",
};
