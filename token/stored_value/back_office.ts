/**
 * Where receipts end: the merchant's back office, and the issuer's settlement. Receipts go in, what
 * they are worth comes out; each is worth something once. No I/O. @core
 */
import { equalBytes } from "../constant_time.ts";
import { cardKeys, type MasterKeys, merchantKey, wipeKeys } from "./keys.ts";
import {
  encodeReceipt,
  isMerchantsReceipt,
  isSettlementReceipt,
  type Receipt,
  RECEIPT_KIND,
} from "./receipt.ts";

/**
 * What a receipt is.
 *
 * - `accepted`: genuine and new; its amount counts.
 * - `duplicate`: the same bytes were seen; nothing counts.
 * - `forged`: not made by the card that it names, or not for this party.
 * - `conflict`: genuine, but the card made another one with this number: it was copied.
 * - `overdrawn`: genuine, but with it the card would have spent more than it ever got: it was copied,
 *   by somebody who took care of the numbers.
 */
export type ReceiptVerdict = "accepted" | "duplicate" | "forged" | "conflict" | "overdrawn";

/** Where receipts that were seen are remembered, by card and number; a `Map`, or a table. */
export type SeenReceipts = Pick<Map<string, Uint8Array>, "get" | "set">;

/** One merchant's back office: it has the keys that cards use for this merchant, and no others. */
export class MerchantBackOffice {
  readonly #party: Uint8Array;
  readonly #keyOf: (cardId: Uint8Array) => Uint8Array | undefined;
  readonly #seen: SeenReceipts;
  #turnover = 0;

  /** `keyOf`: a card's key for this merchant, as the issuer gave it; `undefined`: unknown card. */
  constructor(options: {
    party: Uint8Array;
    keyOf: (cardId: Uint8Array) => Uint8Array | undefined;
    seen?: SeenReceipts;
  }) {
    this.#party = options.party;
    this.#keyOf = options.keyOf;
    this.#seen = options.seen ?? new Map();
  }

  /** Sum of the payments that were accepted here. */
  get turnover(): number {
    return this.#turnover;
  }

  accept(receipt: Receipt): ReceiptVerdict {
    const key = this.#keyOf(receipt.cardId);
    const isOurs = receipt.kind === RECEIPT_KIND.debit && equalBytes(receipt.party, this.#party);
    if (key === undefined || !isOurs || !isMerchantsReceipt(receipt, key)) return "forged";
    const verdict = take(this.#seen, receipt);
    if (verdict === "accepted") this.#turnover += receipt.amount;
    return verdict;
  }
}

/** What a merchant has to get in one currency, and by how many receipts. */
export interface Owed {
  readonly party: Uint8Array;
  readonly currency: number;
  readonly receipts: number;
  readonly amount: number;
}

/** The issuer's settlement: what it owes to merchants, and to holders of purses that were closed. */
export class Settlement {
  readonly #masters: MasterKeys;
  readonly #seen: SeenReceipts;
  readonly #loadedOf: (cardId: Uint8Array) => number | undefined;
  readonly #owed = new Map<string, Owed>();
  readonly #spent = new Map<string, number>();
  #paidOut = 0;

  /** `loadedOf`: the most that a card can have spent, where that is known. */
  constructor(
    masters: MasterKeys,
    options: {
      seen?: SeenReceipts;
      loadedOf?: (cardId: Uint8Array) => number | undefined;
    } = {},
  ) {
    this.#masters = masters;
    this.#seen = options.seen ?? new Map();
    this.#loadedOf = options.loadedOf ?? (() => undefined);
  }

  /** What a merchant has to get, in one currency. */
  owedTo(party: Uint8Array, currency: number): number {
    return this.#owed.get(`${party.toHex()} ${currency}`)?.amount ?? 0;
  }

  /** What all of them have to get. */
  get owed(): readonly Owed[] {
    return [...this.#owed.values()];
  }

  /** What holders have to get from purses that were closed. */
  get owedToHolders(): number {
    return this.#paidOut;
  }

  accept(receipt: Receipt): ReceiptVerdict {
    const keys = cardKeys(this.#masters, receipt.cardId);
    const isGenuine = isSettlementReceipt(receipt, keys.settlement);
    wipeKeys(keys);
    if (!isGenuine) return "forged";
    const card = receipt.cardId.toHex();
    const isSpending = receipt.kind !== RECEIPT_KIND.credit;
    const spent = (this.#spent.get(card) ?? 0) + (isSpending ? receipt.amount : 0);
    const isOverdrawn = spent > (this.#loadedOf(receipt.cardId) ?? Infinity);
    if (isOverdrawn && this.#seen.get(nameOf(receipt)) === undefined) return "overdrawn";
    const verdict = take(this.#seen, receipt);
    if (verdict !== "accepted") return verdict;
    this.#spent.set(card, spent);
    if (receipt.kind === RECEIPT_KIND.debit) {
      const { party, currency } = receipt;
      const name = `${party.toHex()} ${currency}`;
      const { receipts, amount } = this.#owed.get(name) ?? { receipts: 0, amount: 0 };
      const sum = { receipts: receipts + 1, amount: amount + receipt.amount };
      this.#owed.set(name, { party, currency, ...sum });
    } else if (receipt.kind === RECEIPT_KIND.closing) this.#paidOut += receipt.amount;
    return verdict;
  }

  /** The key that a merchant's back office needs for one card. */
  merchantKey(cardId: Uint8Array, party: Uint8Array): Uint8Array {
    const keys = cardKeys(this.#masters, cardId);
    const key = merchantKey(keys.receipt, party);
    wipeKeys(keys);
    return key;
  }
}

function nameOf({ cardId, transaction }: Receipt): string {
  return `${cardId.toHex()} ${transaction}`;
}

function take(seen: SeenReceipts, receipt: Receipt): "accepted" | "duplicate" | "conflict" {
  const name = nameOf(receipt);
  const bytes = encodeReceipt(receipt);
  const earlier = seen.get(name);
  if (earlier === undefined) {
    seen.set(name, bytes);
    return "accepted";
  }
  return equalBytes(earlier, bytes) ? "duplicate" : "conflict";
}
