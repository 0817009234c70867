/**
 * What an issuer has answered and settled, a line of JSON for each: entries in, lines out, and back;
 * and what a whole journal comes to. Lines are only ever added. No I/O. @core
 */
import * as v from "valibot";
import { Settlement } from "./back_office.ts";
import type { PurseIssuer } from "./issuer_file.ts";
import { decodeReceipt, encodeReceipt, type Receipt } from "./receipt.ts";
import type { AskedQuestion } from "./wire.ts";
import { PURPOSE } from "./wire.ts";

/** Something that the issuer did. `at` in seconds since 1970. */
export type JournalEntry =
  | {
    readonly is: "answer";
    readonly at: number;
    readonly card: string;
    readonly transaction: number;
    readonly purpose: keyof typeof PURPOSE;
    /** Of a credit. */
    readonly amount?: number | undefined;
  }
  | { readonly is: "receipt"; readonly at: number; readonly receipt: Receipt };

/** One line, without its end. */
export function encodeEntry(entry: JournalEntry): string {
  if (entry.is === "answer") return JSON.stringify(entry);
  return JSON.stringify({ ...entry, receipt: encodeReceipt(entry.receipt).toHex() });
}

/** `undefined` when a line is none. */
export function decodeEntry(line: string): JournalEntry | undefined {
  try {
    const read = v.safeParse(ENTRY, JSON.parse(line));
    return read.success ? read.output : undefined;
  } catch {
    return undefined;
  }
}

/** Why a journal can't be the issuer's; `line` counts from 1. */
export type JournalFault =
  | { readonly fault: "not-settled"; readonly line: number }
  /** The journal has answers that the accounts don't know: those are an older copy. */
  | { readonly fault: "older-accounts"; readonly line: number };

/** What an issuer's journal comes to. */
export class JournalBook {
  readonly settlement: Settlement;
  readonly #answers = new Map<string, JournalEntry & { readonly is: "answer" }>();

  /** What counted when it was settled counts; only what comes now is held against the accounts. */
  #isRead = false;

  private constructor({ masters, accounts }: PurseIssuer) {
    this.settlement = new Settlement(masters, {
      loadedOf: (cardId) => this.#isRead ? accounts.get(cardId.toHex())?.loaded : undefined,
    });
  }

  static read(
    issuer: PurseIssuer,
    entries: readonly JournalEntry[],
  ): JournalBook | JournalFault {
    const book = new JournalBook(issuer);
    for (const [index, entry] of entries.entries()) {
      const line = index + 1;
      if (entry.is === "receipt") {
        const verdict = book.settlement.accept(entry.receipt);
        if (verdict !== "accepted") return { fault: "not-settled", line };
        continue;
      }
      const account = issuer.accounts.get(entry.card);
      if (account === undefined || account.transaction < entry.transaction) {
        return { fault: "older-accounts", line };
      }
      book.add(entry);
    }
    book.#isRead = true;
    return book;
  }

  /** Takes an answer that was written to the journal; receipts go to {@linkcode settlement}. */
  add(entry: JournalEntry & { readonly is: "answer" }): void {
    this.#answers.set(`${entry.card} ${entry.transaction}`, entry);
  }

  /** The answer that this very question got. */
  answerTo({ ask }: AskedQuestion): (JournalEntry & { readonly is: "answer" }) | undefined {
    return this.#answers.get(`${ask.cardId.toHex()} ${ask.transaction}`);
  }
}

const NUMBER = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const RECEIPT = v.pipe(
  v.string(),
  v.regex(/^([0-9a-f]{2})*$/),
  v.rawTransform(({ dataset, addIssue, NEVER }) => {
    const receipt = decodeReceipt(Uint8Array.fromHex(dataset.value));
    if (receipt !== undefined) return receipt;
    addIssue({ message: "no receipt" });
    return NEVER;
  }),
);
const ENTRY = v.variant("is", [
  v.object({
    is: v.literal("answer"),
    at: NUMBER,
    card: v.pipe(v.string(), v.regex(/^[0-9a-f]{16}$/)),
    transaction: NUMBER,
    purpose: v.picklist(["credit", "limits", "unblock", "close"]),
    amount: v.optional(NUMBER),
  }),
  v.object({ is: v.literal("receipt"), at: NUMBER, receipt: RECEIPT }),
]);
