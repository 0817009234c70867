/** `token purse settle`: what the issuer owes for receipts that merchants bring. */
import { readCode } from "../../stored_value/code.ts";
import { type Receipt, RECEIPT_KIND } from "../../stored_value/receipt.ts";
import { CommandError } from "../errors.ts";
import { readBytes } from "../files.ts";
import type { Given } from "../options.ts";
import { HeldIssuer } from "./issuer.ts";
import { linesOf } from "./lines.ts";

/** Receipts, one in a line, from files or from standard input. Each counts once, for ever. */
export async function settle(given: Given, files: readonly string[]): Promise<void> {
  using held = await HeldIssuer.open(given);
  const { settlement } = held.book;
  const before = settlement.owed;
  const accepted: Receipt[] = [];
  let [seen, refused] = [0, 0];
  for await (const { line, where } of linesIn(files)) {
    const code = readCode(line);
    const verdict = code.is !== "receipt"
      ? "unreadable"
      : code.receipt.kind !== RECEIPT_KIND.debit
      ? "no-payment"
      : settlement.accept(code.receipt);
    if (code.is === "receipt" && verdict === "accepted") {
      accepted.push(code.receipt);
      continue;
    }
    if (verdict === "accepted") continue;
    if (verdict === "duplicate") seen++;
    else refused++;
    console.log(`${where}: ${VERDICTS[verdict]}`);
  }
  // Before anybody is told that it is owed: it must count once only.
  await held.settled(accepted);
  for (const { party, currency, receipts, amount } of settlement.owed) {
    const earlier = before.find((one) =>
      one.party.toHex() === party.toHex() && one.currency === currency
    );
    const more = amount - (earlier?.amount ?? 0);
    const count = receipts - (earlier?.receipts ?? 0);
    console.log(
      `${party.toHex()}: ${more} by ${count} new receipts; ` +
        `${amount} by ${receipts} in all (currency ${currency})`,
    );
  }
  console.log(`${accepted.length} new, ${seen} seen before, ${refused} refused`);
  if (refused === 0) return;
  throw new CommandError(`Cannot settle ${refused} of the receipts: see above`);
}

const VERDICTS = {
  "unreadable": "refused: no receipt, or a part is missing or mistyped",
  "no-payment": "refused: not a receipt of a payment",
  "forged": "refused: forged; no card of this issuer made it",
  "conflict": "refused: the card made another one with this number; the card was copied",
  "overdrawn": "refused: more than was ever put on the card; the card was copied",
  "duplicate": "seen before; it counts once",
} as const;

const LONGEST = 64 * 1024 * 1024;

async function* linesIn(
  files: readonly string[],
): AsyncGenerator<{ line: string; where: string }> {
  if (files.length === 0) return yield* numbered(Deno.stdin.readable, "standard input");
  for (const file of files) {
    yield* numbered(
      new Blob([await readBytes(file, LONGEST) as Uint8Array<ArrayBuffer>]).stream(),
      file,
    );
  }
}

async function* numbered(
  stream: ReadableStream<Uint8Array>,
  name: string,
): AsyncGenerator<{ line: string; where: string }> {
  let at = 0;
  for await (const line of linesOf(stream)) yield { line, where: `${name}, receipt ${++at}` };
}
