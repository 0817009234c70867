import type { Receipt } from "../../stored_value/receipt.ts";
import type { CardKeys, Limits } from "../../stored_value/wire.ts";
import type { Reference } from "../reference.ts";

/**
 * What a purse remembers. Money is written twice: what came and what went on the one side, the
 * balance on the other. A file in which they differ is damaged.
 */
export interface PurseState {
  readonly cardId: Uint8Array;
  readonly currency: number;
  readonly limits: Limits;
  readonly keys: CardKeys;
  /** Absent: the purse has no PIN. */
  readonly pin?: Reference;
  readonly balance: number;
  /** All that ever came in, and all that ever went out. */
  readonly credited: number;
  readonly debited: number;
  /** Debited without a PIN since one was given. */
  readonly withoutPin: number;
  /** The card's counter: one more with every debit and every question to the issuer. */
  readonly transactions: number;
  /** Credits that arrived. */
  readonly credits: number;
  /** The newest first. */
  readonly log: readonly Receipt[];
  readonly isClosed: boolean;
  /** The credit that was asked for last, until it is granted or something else is asked. */
  readonly asked: AskedCredit | undefined;
}

/** A question for a credit, as far as the rest of the state doesn't say it. Nothing in it is secret. */
export interface AskedCredit {
  /** A `CreditOrder` on the wire. */
  readonly payload: Uint8Array;
  readonly transaction: number;
  /** When it was asked: payments may come before the credit does. */
  readonly balance: number;
  readonly challenge: Uint8Array;
}

/** Whether the two sides of a purse's books agree, and its numbers can be written. */
export function isBalanced(purse: PurseState): boolean {
  const amounts = [purse.balance, purse.credited, purse.debited, purse.withoutPin];
  const counters = [purse.transactions, purse.credits];
  return amounts.every((one) => Number.isSafeInteger(one) && one >= 0) &&
    counters.every((one) => Number.isInteger(one) && one >= 0 && one <= 0xffff_ffff) &&
    purse.balance <= 0xffff_ffff && purse.balance === purse.credited - purse.debited;
}
