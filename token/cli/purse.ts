/** `token purse`: purses on cards, and the station that issues them. */
import { UsageError } from "./errors.ts";
import { CARD_FLAGS, CARD_HELP, type Given, PIN_FLAGS, readOptions } from "./options.ts";
import { accounts, fund } from "./purse/accounts.ts";
import { answer } from "./purse/answer.ts";
import { showPurse, statusOf, withPurse } from "./purse/at_card.ts";
import { number } from "./purse/numbers.ts";
import { settle } from "./purse/settle.ts";
import { changeLimits, close, install, makeIssuer, topUp, unblock } from "./purse/station.ts";

const HELP = `Usage: token purse issuer --out FILE
       token purse install --issuer FILE --funds N [options]
       token purse top-up AMOUNT --issuer FILE [options]
       token purse limits --issuer FILE [options]
       token purse unblock --issuer FILE [options]
       token purse close --issuer FILE [options]
       token purse show [options]
       token purse answer [QUESTION] --issuer FILE [--most-credit N]
       token purse settle [FILE…] --issuer FILE
       token purse accounts --issuer FILE
       token purse fund CARD AMOUNT --issuer FILE

Purses on cards. Amounts are in the currency's smallest unit. FILE holds the issuer's master keys
and the holders' accounts: whoever has it can make money, so keep it on the issuing station, and
FILE.journal, which says what was answered and settled, beside it.

With the card in this reader:
  install     put a purse on a card that has none; its keys cross this reader
  top-up      bring money from the holder's account to the card
  limits      give the purse other limits; what isn't named stays
  unblock     give the purse a new PIN with all its tries, blocked or forgotten
  close       end the purse, and give what is left to the holder's account
  show        what is on the card

Without it:
  issuer      make FILE
  answer      answer the question that a purse's page shows, with what its holder enters there;
              without QUESTION, one in each line of standard input (a scanner is a keyboard)
  settle      count what merchants are owed by receipts, one in a line of FILE… or standard input;
              tells receipts that are forged, and those seen before
  accounts    what holders have with the issuer, by card
  fund        add money that a holder has brought

${CARD_HELP}
  --funds N               what the holder has with the issuer
  --currency N            ISO 4217, numeric (392: yen)
  --most N                highest balance (50000)
  --most-debit N          highest single debit (20000)
  --without-pin N         highest single debit without the PIN (3000)
  --without-pin-total N   most that debits without the PIN take together (5000)
  --most-credit N         answer no question for more than N
  --no-pin                a purse without a PIN: nothing above those two is ever paid
  --pin-stdin             read the purse's new PIN, 4 to 8 digits, from standard input
  --pin-file FILE         read it from FILE
  --help                  this text`;

const FLAGS = {
  ...CARD_FLAGS,
  ...PIN_FLAGS,
  out: "text",
  issuer: "text",
  funds: "text",
  currency: "text",
  most: "text",
  "most-debit": "text",
  "most-credit": "text",
  "without-pin": "text",
  "without-pin-total": "text",
  "no-pin": "flag",
} as const;

interface Command {
  /** Words after the command's name. */
  readonly words: number;
  readonly run: (given: Given, words: readonly string[]) => Promise<void>;
}

const COMMANDS: Readonly<Record<string, Command>> = {
  issuer: { words: 0, run: makeIssuer },
  install: { words: 0, run: install },
  "top-up": { words: 1, run: (given, [amount]) => topUp(given, number(amount, "AMOUNT")) },
  limits: { words: 0, run: changeLimits },
  unblock: { words: 0, run: unblock },
  close: { words: 0, run: close },
  show: {
    words: 0,
    run: (given) => withPurse(given, async (client) => showPurse(await statusOf(client))),
  },
  // A question that was copied with its line breaks, or with blanks in it.
  answer: { words: 40, run: answer },
  settle: { words: 1_000, run: settle },
  accounts: { words: 0, run: accounts },
  fund: { words: 2, run: fund },
};

/** Runs the command. */
export async function purse(args: string[]): Promise<number> {
  const given = readOptions(args, { flags: FLAGS, positionals: 1_001 });
  if (given === "help") {
    console.log(HELP);
    return 0;
  }
  const [what = "", ...words] = given.positionals;
  const command = Object.hasOwn(COMMANDS, what) ? COMMANDS[what] : undefined;
  if (command === undefined) {
    throw new UsageError(`Cannot tell what to do: ${Object.keys(COMMANDS).join(", ")}`);
  }
  const unexpected = words[command.words];
  if (unexpected !== undefined) {
    throw new UsageError(`Cannot read the command line: ${unexpected} is unexpected`);
  }
  await command.run(given, words);
  return 0;
}
