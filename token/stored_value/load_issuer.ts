/**
 * The issuer's side of a purse: questions of cards go in, consents and the changes of accounts come
 * out. Money leaves an account once for every credit that arrived on a card, and comes back for
 * every one that did not. No I/O. @core
 */
import { askMac, cardKeys, doneMac, grantMac, isMac, type MasterKeys, wipeKeys } from "./keys.ts";
import {
  type Ask,
  type AskedQuestion,
  decodeOrder,
  LARGEST_AMOUNT,
  PURPOSE,
  type Purpose,
} from "./wire.ts";

/** What the issuer remembers of one card; plain data, to be stored with the account. */
export interface CardAccount {
  readonly currency: number;
  /** What the holder has with the issuer outside of the card. */
  readonly funds: number;
  /** The highest transaction number that was seen in a question. */
  readonly transaction: number;
  /** Credits that arrived on the card, as far as the issuer knows. */
  readonly credits: number;
  /** A consent whose arrival isn't known yet: its amount has left the funds. */
  readonly pending?: { readonly amount: number; readonly credits: number };
  readonly isClosed: boolean;
  /**
   * What has left the funds for the card and has not come back: its genuine receipts are never worth
   * more. Absent where an account was made before this was counted.
   */
  readonly loaded?: number;
  /** The balance limit that the card was given; absent where the issuer doesn't know it. */
  readonly mostBalance?: number;
  /** What came back to the funds when the purse was closed, by the card's last receipt. */
  readonly refund?: { readonly transaction: number; readonly amount: number };
}

/** Why there is no consent. */
export type GrantRefusal =
  | "unknown-card"
  | "forged"
  | "stale"
  | "other-currency"
  | "insufficient-funds"
  | "over-limit"
  | "malformed"
  | "closed"
  | "not-allowed";

/** A consent for the card, or why not; and the account as it is to be stored before it goes out. */
export type GrantResult =
  | { readonly outcome: "granted"; readonly mac: Uint8Array; readonly account: CardAccount }
  | { readonly outcome: "refused"; readonly reason: GrantRefusal; readonly account?: CardAccount };

/** A new card's account. */
export function newAccount(
  options: { currency: number; funds: number; mostBalance?: number },
): CardAccount {
  return { ...options, transaction: 0, credits: 0, isClosed: false, loaded: 0 };
}

/**
 * Decides on a question. A card's counters say what became of the consent before: a question with
 * a higher number of arrived credits means that it arrived; with the same number, that it never
 * will, for the card forgot what it asked then when it asked anew. So its amount goes back. Older
 * questions than the last one are refused: they would tell of a past in which it had not arrived.
 */
export function decide(
  question: AskedQuestion,
  known: {
    masters: MasterKeys;
    account: CardAccount | undefined;
    /** Whether the issuer is willing, for what is no credit: at its own counter, to this holder. */
    isAllowed?: (purpose: Purpose) => boolean;
    /** The largest credit that is granted here at once. */
    mostCredit?: number;
  },
): GrantResult {
  const { purpose, payload, ask } = question;
  const { masters } = known;
  if (known.account === undefined) return { outcome: "refused", reason: "unknown-card" };
  const keys = cardKeys(masters, ask.cardId);
  try {
    if (!isMac(ask.mac, askMac(keys.load, question))) return refused("forged");
    if (ask.transaction <= known.account.transaction) return refused("stale");
    // From here on the card itself speaks: what it says of the past is taken over even if it gets
    // no consent now.
    const account = settlePending(known.account, ask);
    if (account === undefined) return refused("forged");
    // A closing whose consent never arrived may be asked for again.
    if (account.isClosed && purpose !== PURPOSE.close) return refused("closed", account);
    if (ask.currency !== account.currency) return refused("other-currency", account);
    if (purpose !== PURPOSE.credit) {
      if (!known.isAllowed?.(purpose)) return refused("not-allowed", account);
      const isClosed = purpose === PURPOSE.close;
      return granted({ ...account, isClosed });
    }
    const order = decodeOrder(payload);
    if (order === undefined || order.amount === 0) return refused("malformed", account);
    if (order.currency !== account.currency) return refused("other-currency", account);
    if (order.amount > account.funds) return refused("insufficient-funds", account);
    const mostBalance = account.mostBalance ?? LARGEST_AMOUNT;
    const isOverLimit = order.amount > (known.mostCredit ?? LARGEST_AMOUNT) ||
      ask.balance + order.amount > mostBalance;
    if (isOverLimit) return refused("over-limit", account);
    const pending = { amount: order.amount, credits: ask.credits };
    const funds = account.funds - order.amount;
    return granted({ ...account, ...loadedMore(account, order.amount), funds, pending });
  } finally {
    wipeKeys(keys);
  }

  function granted(account: CardAccount): GrantResult {
    return { outcome: "granted", mac: grantMac(keys.load, { purpose, payload, ask }), account };
  }
}

/**
 * The account of a purse that was closed, with what was left on it; the receipt was checked before.
 * The same receipt again changes nothing.
 */
export function refund(
  account: CardAccount,
  { transaction, amount }: { transaction: number; amount: number },
): CardAccount {
  if (account.refund !== undefined) return account;
  const funds = account.funds + amount;
  return { ...account, funds, isClosed: true, refund: { transaction, amount } };
}

/** Whether a card's word that something was done is genuine. */
export function isDone(
  word: Uint8Array,
  { question, masters }: { question: AskedQuestion; masters: MasterKeys },
): boolean {
  const keys = cardKeys(masters, question.ask.cardId);
  const isGenuine = isMac(word, doneMac(keys.load, question));
  wipeKeys(keys);
  return isGenuine;
}

/** `undefined`: the card's counters can't come from what the issuer consented to. */
function settlePending(account: CardAccount, ask: Ask): CardAccount | undefined {
  const { pending, ...rest } = account;
  const { transaction, credits } = ask;
  if (pending === undefined) {
    return credits === account.credits ? { ...rest, transaction } : undefined;
  }
  if (credits === pending.credits) {
    const funds = account.funds + pending.amount;
    return { ...rest, ...loadedMore(account, -pending.amount), transaction, funds };
  }
  return credits === pending.credits + 1 ? { ...rest, transaction, credits } : undefined;
}

function loadedMore({ loaded }: CardAccount, amount: number): { loaded?: number } {
  return loaded === undefined ? {} : { loaded: loaded + amount };
}

function refused(reason: GrantRefusal, account?: CardAccount): GrantResult {
  return { outcome: "refused", reason, ...(account === undefined ? {} : { account }) };
}
