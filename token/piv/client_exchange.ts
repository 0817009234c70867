/** One command and its whole answer: command chaining, GET RESPONSE, a wrong Le corrected once. */
import { type CardChannel, CardGarbledError } from "../apdu/channel.ts";
import { chain, command, type CommandApdu, encodeCommand } from "../apdu/command.ts";
import { parseResponse, type ResponseApdu } from "../apdu/response.ts";
import { SW } from "../apdu/status.ts";
import { concat } from "../apdu/tlv.ts";
import { LARGEST_OBJECT, PIV_INS } from "./constants.ts";

/** No answer of a PIV card is longer: the largest object, its wrapping, and room. */
const LONGEST_ANSWER = LARGEST_OBJECT + 1024;

/**
 * Sends one command, in parts when it is long, and collects its answer. The command's own bytes
 * and every piece of the answer are wiped here: only what is returned stays.
 * @throws {CardGarbledError} when the card answers what no card may.
 */
export async function exchange(channel: CardChannel, apdu: CommandApdu): Promise<ResponseApdu> {
  const parts = chain(apdu);
  let answer: ResponseApdu = { data: new Uint8Array(0), sw: SW.OK };
  for (const part of parts) {
    answer = await collect(channel, part);
    if (answer.sw !== SW.OK) break;
  }
  // A chain of one shares the caller's data.
  if (parts.length > 1) { for (const part of parts) part.data.fill(0); }
  return answer;
}

async function collect(channel: CardChannel, apdu: CommandApdu): Promise<ResponseApdu> {
  let answer = await once(channel, apdu);
  if ((answer.sw & 0xff00) === SW.WRONG_LE) {
    answer = await once(channel, { ...apdu, ne: (answer.sw & 0xff) || 256 });
  }
  while ((answer.sw & 0xff00) === SW.MORE_DATA) {
    const ne = (answer.sw & 0xff) || 256;
    const next = await once(channel, command({ ins: PIV_INS.getResponse }, { ne }));
    const isStuck = next.data.length === 0 && (next.sw & 0xff00) === SW.MORE_DATA;
    if (isStuck || answer.data.length + next.data.length > LONGEST_ANSWER) {
      throw new CardGarbledError("Cannot use the card: its answer has no end");
    }
    const joined = concat(answer.data, next.data);
    answer.data.fill(0);
    next.data.fill(0);
    answer = { data: joined, sw: next.sw };
  }
  return answer;
}

async function once(channel: CardChannel, apdu: CommandApdu): Promise<ResponseApdu> {
  const raw = encodeCommand(apdu);
  try {
    const bytes = await channel.transmit(raw);
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
