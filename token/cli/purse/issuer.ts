/** The issuer's file, which one command at a time has: two would each undo the other. */
import { readCode } from "../../stored_value/code.ts";
import {
  decodePurseIssuer,
  encodePurseIssuer,
  type PurseIssuer,
  withAccount,
} from "../../stored_value/issuer_file.ts";
import { JournalBook, type JournalEntry } from "../../stored_value/journal.ts";
import { type CardAccount, decide, type GrantRefusal } from "../../stored_value/load_issuer.ts";
import type { Receipt } from "../../stored_value/receipt.ts";
import { type AskedQuestion, decodeOrder, PURPOSE } from "../../stored_value/wire.ts";
import { CommandError, UsageError } from "../errors.ts";
import { readBytes, writeSecret } from "../files.ts";
import type { Given } from "../options.ts";
import { PurseJournal } from "./journal.ts";

export class HeldIssuer implements Disposable {
  readonly book: JournalBook;
  #issuer: PurseIssuer;
  readonly #path: string;
  readonly #journal: PurseJournal;
  readonly #lock: Deno.FsFile;

  private constructor(
    parts: {
      issuer: PurseIssuer;
      path: string;
      book: JournalBook;
      journal: PurseJournal;
      lock: Deno.FsFile;
    },
  ) {
    this.#issuer = parts.issuer;
    this.#path = parts.path;
    this.book = parts.book;
    this.#journal = parts.journal;
    this.#lock = parts.lock;
  }

  static async open(given: Given): Promise<HeldIssuer> {
    const path = given.text("issuer");
    if (path === undefined) throw new UsageError("Cannot issue a purse: --issuer FILE is missing");
    // First, so that a wrong name leaves no lock behind.
    await textOf(path);
    const lock = await Deno.open(`${path}.lock`, { create: true, write: true, mode: 0o600 });
    let journal: PurseJournal | undefined;
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
      journal = await PurseJournal.open(`${path}.journal`);
      const book = JournalBook.read(issuer, journal.entries);
      if ("fault" in book) throw new CommandError(FAULTS[book.fault](path, book.line));
      return new HeldIssuer({ issuer, path, book, journal, lock });
    } catch (error) {
      journal?.[Symbol.dispose]();
      lock.close();
      throw error;
    }
  }

  get issuer(): PurseIssuer {
    return this.#issuer;
  }

  account(cardId: Uint8Array): CardAccount | undefined {
    return this.#issuer.accounts.get(cardId.toHex());
  }

  /** The new file is whole and synced before it takes the old one's name. */
  async keep(cardId: Uint8Array, account: CardAccount): Promise<void> {
    const issuer = withAccount(this.#issuer, cardId, account);
    const beside = `${this.#path}.new`;
    await Deno.remove(beside).catch(() => {});
    await writeSecret(beside, encodePurseIssuer(issuer));
    using file = await Deno.open(beside, { read: true });
    await file.sync();
    await Deno.rename(beside, this.#path);
    this.#issuer = issuer;
  }

  /**
   * The issuer's consent. Account and journal are on the disk before it is out: no question gets
   * two, and no money is on its way that has not left the account.
   */
  async consent(
    question: AskedQuestion,
    { doing, mostCredit }: { doing: string; mostCredit?: number },
  ): Promise<Uint8Array> {
    const { cardId, transaction } = question.ask;
    const result = decide(question, {
      masters: this.#issuer.masters,
      account: this.account(cardId),
      // Whoever holds the file is the issuer, and asks for it at the station.
      isAllowed: () => true,
      ...(mostCredit === undefined ? {} : { mostCredit }),
    });
    // What the card said of the past is kept even if it gets nothing now.
    if (result.account !== undefined) await this.keep(cardId, result.account);
    if (result.outcome === "refused") {
      const earlier = result.reason === "stale" ? this.book.answerTo(question) : undefined;
      throw new CommandError(
        `Cannot ${doing}: ${
          earlier === undefined ? REFUSALS[result.reason] : answeredBefore(earlier.at)
        }`,
      );
    }
    const isCredit = question.purpose === PURPOSE.credit;
    const entry = {
      ...{ is: "answer", at: now(), card: cardId.toHex(), transaction } as const,
      purpose: NAMES[question.purpose],
      ...(isCredit ? { amount: decodeOrder(question.payload)?.amount } : {}),
    };
    await this.#journal.add([entry]);
    this.book.add(entry);
    return result.mac;
  }

  /** Writes down receipts that the settlement has just accepted. */
  async settled(receipts: readonly Receipt[]): Promise<void> {
    const at = now();
    const entries = receipts.map((receipt): JournalEntry => ({ is: "receipt", at, receipt }));
    await this.#journal.add(entries);
  }

  [Symbol.dispose](): void {
    this.#journal[Symbol.dispose]();
    this.#lock.close();
  }
}

/** Reads a question as people carry it. @throws {CommandError} when it is none. */
export function readQuestion(text: string): AskedQuestion {
  const code = readCode(text);
  if (code.is === "question") return code.question;
  throw new CommandError(
    `Cannot answer: ${
      code.is === "nothing"
        ? "this is no question of a purse, or a part is missing or mistyped; compare it"
        : `this is ${code.is === "answer" ? "an answer" : "a receipt"}; a question is needed`
    }`,
  );
}

const NAMES = { 1: "credit", 2: "limits", 3: "unblock", 4: "close" } as const;

const REFUSALS: Readonly<Record<GrantRefusal, string>> = {
  "unknown-card": "this issuer has no account for it; use the file of its issuer",
  "forged": "the card's word does not fit this issuer's keys, or it was changed on the way; " +
    "use the file of its issuer",
  "stale": "this was refused before, or the card has asked for something else since; ask it anew",
  "other-currency": "the account is in another currency",
  "insufficient-funds": "there is too little in the holder's account; see token purse fund",
  "over-limit": "the amount is above the limit; ask for a smaller one",
  "malformed": "the card's question makes no sense; try another card",
  "closed": "the purse is closed",
  "not-allowed": "this needs the issuer's own decision",
};

function answeredBefore(at: number): string {
  const time = new Date(at * 1000).toISOString().replace(/\.\d+/, "");
  return `this question was answered at ${time}; if that answer never arrived, ask the card anew`;
}

const FAULTS = {
  "not-settled": (path: string, line: number) =>
    `Cannot use ${path}: line ${line} of its journal is no receipt of this issuer's cards, or a ` +
    "second one; restore the journal from a copy",
  "older-accounts": (path: string, line: number) =>
    `Cannot use ${path}: its journal has a later answer (line ${line}), so it is an older copy; ` +
    "take the newest one",
} as const;

/** Accounts of some ten thousand cards. */
const LONGEST_FILE = 4 * 1024 * 1024;

async function textOf(path: string): Promise<string> {
  return new TextDecoder().decode(await readBytes(path, LONGEST_FILE));
}

function now(): number {
  return Math.floor(Date.now() / 1000);
}
