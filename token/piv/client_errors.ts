/** Refusals that no caller's value stands for. */
import { CardGarbledError } from "../apdu/channel.ts";
import { formatStatus, SW } from "../apdu/status.ts";
import { PivRefusedError } from "./client_types.ts";

/** `doing` completes "Cannot …". */
export function refusal(doing: string, sw: number): PivRefusedError {
  return new PivRefusedError(`Cannot ${doing}: ${explain(sw)}`, sw);
}

/** `what` names the malformed thing. */
export function garbled(what: string): CardGarbledError {
  return new CardGarbledError(`Cannot use the card: ${what} is malformed; try another card`);
}

function explain(sw: number): string {
  switch (sw) {
    case SW.SECURITY_STATUS_NOT_SATISFIED:
      return "the card asks for its PIN or management key first; enter it";
    case SW.NOT_ENOUGH_MEMORY:
      return "the card is full; remove certificates or objects that nobody needs";
    case SW.MEMORY_FAILURE:
      return "the card's memory failed; try again, or use another card";
    case SW.REFERENCE_NOT_FOUND:
    case SW.FILE_NOT_FOUND:
      return "the card has no such key; generate it first";
    case SW.INS_NOT_SUPPORTED:
    case SW.FUNCTION_NOT_SUPPORTED:
      return "this card can't do that; use one that can";
    case SW.INCORRECT_P1P2:
    case SW.INCORRECT_DATA:
      return `the card doesn't take these values (${formatStatus(sw)}); ` +
        "it may lack the algorithm or the slot";
    default:
      return `the card answered ${formatStatus(sw)}; insert it again and retry`;
  }
}
