/** `token purse answer`: answers questions that people carry from a purse's page. */
import { answerCode } from "../../stored_value/code.ts";
import { type AskedQuestion, decodeOrder, PURPOSE } from "../../stored_value/wire.ts";
import { CommandError } from "../errors.ts";
import type { Given } from "../options.ts";
import { HeldIssuer, readQuestion } from "./issuer.ts";
import { linesOf } from "./lines.ts";
import { number } from "./numbers.ts";

/** The question in `words`, or one in each line of standard input: a scanner is a keyboard. */
export async function answer(given: Given, words: readonly string[]): Promise<void> {
  const text = given.text("most-credit");
  const most = text === undefined ? {} : { mostCredit: number(text, "--most-credit") };
  using held = await HeldIssuer.open(given);
  if (words.length > 0) return await answerOne(held, words.join(" "), most);
  let refused = 0;
  for await (const line of linesOf(Deno.stdin.readable)) {
    try {
      await answerOne(held, line, most);
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      console.error(error.message);
      refused++;
    }
  }
  if (refused > 0) throw new CommandError(`Cannot answer ${refused} of the questions: see above`);
}

async function answerOne(
  held: HeldIssuer,
  text: string,
  most: { mostCredit?: number },
): Promise<void> {
  const question = readQuestion(text);
  const { cardId, transaction, balance } = question.ask;
  // What changes the card itself is done where the issuer sees who brings it.
  if (question.purpose !== PURPOSE.credit) {
    throw new CommandError("Cannot answer: this asks for no money; do it with the card, here");
  }
  const mac = await held.consent(question, { doing: "answer", ...most });
  console.error(
    `${cardId.toHex()}: ${amountOf(question)} to the ${balance} on the card; ` +
      `${held.account(cardId)?.funds} left in the account`,
  );
  console.log(answerCode({ cardId, transaction, mac }));
}

function amountOf({ payload, ask }: AskedQuestion): string {
  return `${decodeOrder(payload)?.amount} (currency ${ask.currency})`;
}
