import type { LeaseRefused } from "../../gateway/view.ts";
import type { PurseRefusal } from "../../token/stored_value/client_errors.ts";

/** Everything that the purse's page says. Amounts are formatted before. */
export interface PurseMessages {
  readonly title: string;
  readonly intro: string;
  readonly needsScript: string;
  readonly start: string;
  readonly waiting: (place: number) => string;
  readonly holder: (name: string) => string;
  readonly giveUp: string;
  readonly balance: string;
  readonly withoutPin: (amount: string) => string;
  readonly done: string;
  readonly pay: {
    readonly title: string;
    readonly amount: string;
    readonly payee: string;
    readonly payeeHint: string;
    readonly next: string;
    readonly ask: (amount: string, payee: string) => string;
    readonly yes: string;
    readonly no: string;
    readonly pin: string;
    readonly pinHint: string;
  };
  readonly topUp: {
    readonly title: string;
    readonly next: string;
    readonly asking: (amount: string) => string;
    readonly question: string;
    readonly qr: string;
    /** That the card may go meanwhile. */
    readonly keeps: string;
    readonly answer: string;
    readonly bring: string;
    /** On the purse's first page, while an answer is awaited. */
    readonly waits: (amount: string) => string;
    readonly enter: string;
  };
  readonly receipt: {
    readonly title: string;
    readonly paid: string;
    readonly toppedUp: string;
    readonly number: string;
    readonly after: string;
    readonly payee: string;
    readonly time: string;
    readonly code: string;
    readonly qr: string;
    readonly print: string;
    readonly back: string;
  };
  /** What is wrong with a text that was given for the issuer's answer. */
  readonly answer: Readonly<
    Record<"nothing" | "question" | "receipt" | "other-card" | "old", string>
  >;
  readonly pinWrong: (triesLeft: number) => string;
  readonly pinRefused: string;
  readonly refusal: Readonly<Record<PurseRefusal, string>>;
  readonly lost: string;
  /** The card was asked about a payment whose answer was lost. */
  readonly notPaid: string;
  readonly over: string;
  readonly cannot: Readonly<
    Record<LeaseRefused, string>
  >;
  readonly unreachable: string;
  readonly malformed: { readonly amount: string; readonly payee: string };
  readonly language: string;
}
