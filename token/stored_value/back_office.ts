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
 */
export type ReceiptVerdict = "accepted" | "duplicate" | "forged" | "conflict";

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
  readonly #owed = new Map<string, Owed>();
  #paidOut = 0;

  constructor(masters: MasterKeys, { seen = new Map() }: { seen?: SeenReceipts } = {}) {
    this.#masters = masters;
    this.#seen = seen;
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
    const verdict = take(this.#seen, receipt);
    if (verdict !== "accepted") return verdict;
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

function take(seen: SeenReceipts, receipt: Receipt): "accepted" | "duplicate" | "conflict" {
  const name = `${receipt.cardId.toHex()} ${receipt.transaction}`;
  const bytes = encodeReceipt(receipt);
  const earlier = seen.get(name);
  if (earlier === undefined) {
    seen.set(name, bytes);
    return "accepted";
  }
  return equalBytes(earlier, bytes) ? "duplicate" : "conflict";
}
