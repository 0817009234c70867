/** An exchange within the bounds of PIV cards. */
import type { CardChannel, TransmitOptions } from "../apdu/channel.ts";
import type { CommandApdu } from "../apdu/command.ts";
import { exchangeApdu } from "../apdu/exchange.ts";
import type { ResponseApdu } from "../apdu/response.ts";
import { LARGEST_OBJECT } from "./constants.ts";

/** No answer of a PIV card is longer: the largest object, its wrapping, and room. */
const LONGEST_ANSWER = LARGEST_OBJECT + 1024;

/**
 * Sends one command and collects its answer; see {@linkcode exchangeApdu}.
 * @throws {CardGarbledError} when the card answers what no card may.
 */
export function exchange(
  channel: CardChannel,
  apdu: CommandApdu,
  options: TransmitOptions = {},
): Promise<ResponseApdu> {
  return exchangeApdu(channel, apdu, { ...options, longest: LONGEST_ANSWER });
}
