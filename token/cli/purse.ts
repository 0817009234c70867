/** `token purse`: purses on cards, and the station that issues them. */
import { randomFillSync } from "node:crypto";
import { type Question, StoredValueClient } from "../stored_value/client.ts";
import type { PurseIssuer } from "../stored_value/issuer_file.ts";
import {
  decodePurseIssuer,
  encodePurseIssuer,
  newPurseIssuer,
  withAccount,
} from "../stored_value/issuer_file.ts";
import { cardKeys, wipeKeys } from "../stored_value/keys.ts";
import { decide, isDone, newAccount } from "../stored_value/load_issuer.ts";
import { LARGEST_AMOUNT, LENGTH, PURPOSE, type PurseStatus } from "../stored_value/wire.ts";
import { withSession } from "./card.ts";
import { CommandError, UsageError } from "./errors.ts";
import { readBytes, writeSecret } from "./files.ts";
import { CARD_FLAGS, CARD_HELP, type Given, PIN_FLAGS, readOptions } from "./options.ts";
import { readSecrets } from "./secret_input.ts";

const HELP = `Usage: token purse issuer --out FILE
       token purse install --issuer FILE --funds N [options]
       token purse top-up AMOUNT --issuer FILE [options]
       token purse unblock --issuer FILE [options]
       token purse show [options]

Purses on cards. Amounts are in the currency's smallest unit. FILE holds the issuer's master keys
and the holders' accounts: whoever has it can make money, so keep it on the issuing station.

  issuer      make FILE
  install     put a purse on a card that has none; its keys cross this reader
  top-up      bring money from the holder's account to the card
  unblock     give the purse a new PIN with all its tries, blocked or forgotten
  show        what is on the card

${CARD_HELP}
  --funds N               what the holder has with the issuer
  --currency N            ISO 4217, numeric (392: yen)
  --most N                highest balance (50000)
  --most-debit N          highest single debit (20000)
  --without-pin N         highest single debit without the PIN (3000)
  --without-pin-total N   most that debits without the PIN take together (5000)
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
  "without-pin": "text",
  "without-pin-total": "text",
  "no-pin": "flag",
} as const;

/** Runs the command. */
export async function purse(args: string[]): Promise<number> {
  const given = readOptions(args, { flags: FLAGS, positionals: 2 });
  if (given === "help") {
    console.log(HELP);
    return 0;
  }
  const [what, amount] = given.positionals;
  if (what !== "top-up" && amount !== undefined) {
    throw new UsageError(`Cannot read the command line: ${amount} is unexpected`);
  }
  switch (what) {
    case "issuer":
      await makeIssuer(given);
      return 0;
    case "install":
      await install(given);
      return 0;
    case "top-up":
      await topUp(given, number(amount, "AMOUNT"));
      return 0;
    case "unblock":
      await unblock(given);
      return 0;
    case "show":
      await withPurse(given, async (client) => show(await statusOf(client)));
      return 0;
    default:
      throw new UsageError("Cannot tell what to do: issuer, install, top-up, unblock or show");
  }
}

async function makeIssuer(given: Given): Promise<void> {
  const out = given.text("out");
  if (out === undefined) throw new UsageError("Cannot make an issuer: --out FILE is missing");
  const random = randomFillSync(new Uint8Array(3 * LENGTH.key));
  await writeSecret(out, encodePurseIssuer(newPurseIssuer(random)));
  random.fill(0);
}

async function install(given: Given): Promise<void> {
  using held = await holdIssuer(given);
  const { issuer, path } = held;
  const currency = number(given.text("currency") ?? "392", "--currency", 0xffff);
  const funds = number(given.text("funds"), "--funds", Number.MAX_SAFE_INTEGER);
  const limit = (name: string, usual: string) => number(given.text(name) ?? usual, `--${name}`);
  const limits = {
    balance: limit("most", "50000"),
    debit: limit("most-debit", "20000"),
    withoutPin: limit("without-pin", "3000"),
    withoutPinTotal: limit("without-pin-total", "5000"),
  };
  const [pin] = given.flag("no-pin") ? [] : await readSecrets(given, ["PIN of the purse"]);
  const cardId = randomFillSync(new Uint8Array(LENGTH.cardId));
  const keys = cardKeys(issuer.masters, cardId);
  await withPurse(given, async (client) => {
    if (await client.status() !== undefined) {
      throw new CommandError("Cannot install a purse: the card has one already");
    }
    // The account first: a purse without one would be worth nothing.
    await replace(path, withAccount(issuer, cardId, newAccount({ currency, funds })));
    await client.install({ cardId, currency, limits, keys, ...(pin === undefined ? {} : { pin }) });
  });
  wipeKeys(keys);
  pin?.fill(0);
  console.log(`The card has a purse: ${cardId.toHex()}`);
}

async function topUp(given: Given, amount: number): Promise<void> {
  using held = await holdIssuer(given);
  await withPurse(given, async (client) => {
    const { currency } = await statusOf(client);
    const question = await client.askCredit({
      amount,
      currency,
      party: new TextEncoder().encode("STATION "),
      reference: randomFillSync(new Uint8Array(LENGTH.reference)),
      time: Math.floor(Date.now() / 1000),
    });
    await client.grant(PURPOSE.credit, await consent(held, question, "top up the purse"));
    show(await statusOf(client));
  });
}

async function unblock(given: Given): Promise<void> {
  using held = await holdIssuer(given);
  const [pin] = await readSecrets(given, ["new PIN of the purse"]);
  if (pin === undefined) throw new Error("One question has one answer");
  await withPurse(given, async (client) => {
    const question = await client.askUnblock(pin);
    pin.fill(0);
    const mac = await consent(held, question, "unblock the purse");
    const word = await client.grant(PURPOSE.unblock, mac);
    const { masters } = held.issuer;
    if (!(word instanceof Uint8Array) || !isDone(word, { question, masters })) {
      throw new CommandError("Cannot tell whether the purse has its new PIN: try it");
    }
  });
  console.log("The purse has its new PIN, with all its tries.");
}

/** The issuer's consent. Whoever holds this file is the issuer: all that a card asks is allowed. */
async function consent(
  held: HeldIssuer,
  question: Question,
  doing: string,
): Promise<Uint8Array> {
  const { issuer, path } = held;
  const { cardId } = question.ask;
  const account = issuer.accounts.get(cardId.toHex());
  const result = decide(question, { masters: issuer.masters, account, isAllowed: () => true });
  // What the card said of the past is kept even if it gets nothing now; and the money has left
  // the account before the consent is out.
  if (result.account !== undefined) {
    await replace(path, withAccount(issuer, cardId, result.account));
  }
  if (result.outcome === "granted") return result.mac;
  throw new CommandError(`Cannot ${doing}: ${REFUSALS[result.reason]}`);
}

const REFUSALS = {
  "unknown-card": "this issuer has no account for it; use the file of its issuer",
  "forged": "the card's word does not fit this issuer's keys; use the file of its issuer",
  "stale": "the card tells of a past that is over; was this file restored from a copy?",
  "other-currency": "the account is in another currency",
  "insufficient-funds": "there is too little in the holder's account",
  "malformed": "the card's question makes no sense; try another card",
  "closed": "the purse is closed",
  "not-allowed": "this needs the issuer's own decision",
} as const;

function show(status: PurseStatus): void {
  const { limits } = status;
  const pin = status.pinTries === undefined ? "none" : `${status.pinTries} tries left`;
  console.log(
    [
      `purse:       ${status.cardId.toHex()}${status.isClosed ? " (closed)" : ""}`,
      `balance:     ${status.balance} (currency ${status.currency})`,
      `limits:      balance ${limits.balance}, debit ${limits.debit}`,
      `without PIN: ${limits.withoutPin} at once, ${status.withoutPinLeft} more together`,
      `PIN:         ${pin}`,
    ].join("\n"),
  );
}

async function statusOf(client: StoredValueClient): Promise<PurseStatus> {
  const status = await client.status();
  if (status !== undefined) return status;
  throw new CommandError("Cannot read the purse: the card has none; see token purse install");
}

async function withPurse(
  given: Given,
  work: (client: StoredValueClient) => Promise<void>,
): Promise<void> {
  await withSession(given.text("reader"), async (session) => {
    const client = new StoredValueClient(session);
    if (!(await client.select())) {
      throw new CommandError(
        `Cannot use the card in ${session.reader}: it has no stored-value application`,
      );
    }
    await work(client);
  });
}

/** The issuer's file, which no other command changes meanwhile: two would each undo the other. */
async function holdIssuer(given: Given): Promise<HeldIssuer> {
  const path = given.text("issuer");
  if (path === undefined) throw new UsageError("Cannot issue a purse: --issuer FILE is missing");
  // First, so that a wrong name leaves no lock behind.
  await textOf(path);
  const lock = await Deno.open(`${path}.lock`, { create: true, write: true, mode: 0o600 });
  try {
    if (!lock.tryLockSync(true)) {
      throw new CommandError(
        `Cannot use ${path}: another command has it; wait until that one ends`,
      );
    }
    const issuer = decodePurseIssuer(await textOf(path));
    if (issuer === undefined) {
      throw new CommandError(
        `Cannot use ${path}: it is no issuer of purses; make one with token purse issuer`,
      );
    }
    return { issuer, path, [Symbol.dispose]: () => lock.close() };
  } catch (error) {
    lock.close();
    throw error;
  }
}

/** An issuer's file, until it is let go. */
interface HeldIssuer extends Disposable {
  readonly issuer: PurseIssuer;
  readonly path: string;
}

/** Accounts of some ten thousand cards. */
const LONGEST_FILE = 4 * 1024 * 1024;

async function textOf(path: string): Promise<string> {
  return new TextDecoder().decode(await readBytes(path, LONGEST_FILE));
}

/** The new file is whole and synced before it takes the old one's name. */
async function replace(path: string, issuer: PurseIssuer): Promise<void> {
  const beside = `${path}.new`;
  await Deno.remove(beside).catch(() => {});
  await writeSecret(beside, encodePurseIssuer(issuer));
  using file = await Deno.open(beside, { read: true });
  await file.sync();
  await Deno.rename(beside, path);
}

function number(text: string | undefined, what: string, most: number = LARGEST_AMOUNT): number {
  const value = /^\d{1,16}$/.test(text ?? "") ? Number(text) : NaN;
  if (value <= most) return value;
  throw new UsageError(`Cannot read ${what}: a whole number up to ${most} is expected`);
}
