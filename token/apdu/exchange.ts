/** One command and its whole answer: command chaining, GET RESPONSE, a wrong Le corrected once. */
import { type CardChannel, CardGarbledError, type TransmitOptions } from "./channel.ts";
import { chain, command, type CommandApdu, encodeCommand } from "./command.ts";
import { parseResponse, type ResponseApdu } from "./response.ts";
import { SW } from "./status.ts";
import { concat } from "./tlv.ts";

/** ISO 7816-4:2020 section 11.8.1. */
const GET_RESPONSE = 0xc0;

/** What an answer may cost at most. */
export interface AnswerBounds extends TransmitOptions {
  /** Longest answer in bytes, all pieces together. */
  readonly longest: number;
}

/**
 * Cards fetch their answers in pieces of 256 bytes, some of them in shorter ones. More pieces than
 * this for one answer are no card's need: with one byte each they would keep a reader for minutes.
 */
export const MOST_PIECES = 64;

/**
 * Sends one command, in parts when it is long, and collects its answer. The command's own bytes
 * and every piece of the answer are wiped here: only what is returned stays.
 * @throws {CardGarbledError} when the card answers what no card may.
 */
export async function exchangeApdu(
  channel: CardChannel,
  apdu: CommandApdu,
  bounds: AnswerBounds,
): Promise<ResponseApdu> {
  const parts = chain(apdu);
  try {
    let answer: ResponseApdu = { data: new Uint8Array(0), sw: SW.OK };
    for (const part of parts) {
      answer = await collect(channel, part, bounds);
      if (answer.sw !== SW.OK) break;
    }
    return answer;
  } finally {
    // A chain of one shares the caller's data.
    if (parts.length > 1) { for (const part of parts) part.data.fill(0); }
  }
}

async function collect(
  channel: CardChannel,
  apdu: CommandApdu,
  bounds: AnswerBounds,
): Promise<ResponseApdu> {
  let answer = await once(channel, apdu, bounds);
  if ((answer.sw & 0xff00) === SW.WRONG_LE) {
    answer = await once(channel, { ...apdu, ne: (answer.sw & 0xff) || 256 }, bounds);
  }
  for (let pieces = 1; (answer.sw & 0xff00) === SW.MORE_DATA; pieces++) {
    const ne = (answer.sw & 0xff) || 256;
    // ISO 7816-4 section 5.3.4: in the class (the logical channel) of the command.
    const more = command({ cla: apdu.cla & 0x03, ins: GET_RESPONSE }, { ne });
    const next = await once(channel, more, bounds);
    const isStuck = next.data.length === 0 && (next.sw & 0xff00) === SW.MORE_DATA;
    const isTooLong = answer.data.length + next.data.length > bounds.longest;
    if (isStuck || isTooLong || pieces > MOST_PIECES) {
      answer.data.fill(0);
      next.data.fill(0);
      throw new CardGarbledError("Cannot use the card: its answer has no end; try another card");
    }
    const joined = concat(answer.data, next.data);
    answer.data.fill(0);
    next.data.fill(0);
    answer = { data: joined, sw: next.sw };
  }
  if (answer.data.length > bounds.longest) {
    answer.data.fill(0);
    throw new CardGarbledError("Cannot use the card: its answer is too long; try another card");
  }
  return answer;
}

async function once(
  channel: CardChannel,
  apdu: CommandApdu,
  options: TransmitOptions,
): Promise<ResponseApdu> {
  const raw = encodeCommand(apdu);
  const { answerMs } = options;
  try {
    const bytes = await channel.transmit(raw, answerMs === undefined ? {} : { answerMs });
    const response = parseResponse(bytes);
    bytes.fill(0);
    if (response === undefined) {
      throw new CardGarbledError("Cannot use the card: its answer has no status word");
    }
    return response;
  } finally {
    raw.fill(0);
  }
}
