/** Receipts: a card's word on what it did, for the merchant and for the issuer. No I/O. @core */
import { concat } from "../apdu/tlv.ts";
import { isMac, merchantMac, settlementMac } from "./keys.ts";
import { FieldReader, LENGTH, numberField } from "./wire.ts";

/** What a receipt is about. */
export const RECEIPT_KIND = { debit: 0x01, credit: 0x02, closing: 0x03 } as const;

/** One of {@linkcode RECEIPT_KIND}. */
export type ReceiptKind = typeof RECEIPT_KIND[keyof typeof RECEIPT_KIND];

/** What was done. Amounts are in the currency's smallest unit. */
export interface ReceiptRecord {
  readonly kind: ReceiptKind;
  readonly cardId: Uint8Array;
  readonly currency: number;
  /** The card's transaction counter: with the card's id it names this receipt and no other. */
  readonly transaction: number;
  readonly amount: number;
  /** The balance afterwards. */
  readonly balance: number;
  /** The merchant, or who brought the credit. */
  readonly party: Uint8Array;
  readonly reference: Uint8Array;
  /** As the terminal had it. */
  readonly time: number;
}

/** A record with its two MACs. */
export interface Receipt extends ReceiptRecord {
  readonly merchantMac: Uint8Array;
  readonly settlementMac: Uint8Array;
}

const RECORD_LENGTH = 1 + LENGTH.cardId + 2 + 4 + 4 + 4 + LENGTH.party + LENGTH.reference + 4;
/** Bytes of a receipt on the wire. */
export const RECEIPT_LENGTH: number = RECORD_LENGTH + 2 * LENGTH.mac;

/** Makes the receipt of a record: the card's part. */
export function signReceipt(
  record: ReceiptRecord,
  keys: { merchant: Uint8Array; settlement: Uint8Array },
): Receipt {
  const bytes = encodeRecord(record);
  const first = merchantMac(keys.merchant, bytes);
  const second = settlementMac(keys.settlement, concat(bytes, first));
  return { ...record, merchantMac: first, settlementMac: second };
}

/** Whether a card made this receipt for this merchant; `key`: the card's key for the merchant. */
export function isMerchantsReceipt(receipt: Receipt, key: Uint8Array): boolean {
  return isMac(receipt.merchantMac, merchantMac(key, encodeRecord(receipt)));
}

/** Whether a card made this receipt; `key`: its settlement key, which the issuer alone has. */
export function isSettlementReceipt(receipt: Receipt, key: Uint8Array): boolean {
  const bytes = concat(encodeRecord(receipt), receipt.merchantMac);
  return isMac(receipt.settlementMac, settlementMac(key, bytes));
}

export function encodeReceipt(receipt: Receipt): Uint8Array {
  return concat(encodeRecord(receipt), receipt.merchantMac, receipt.settlementMac);
}

/** Reads a receipt; `undefined` when the bytes are none. It proves nothing yet. */
export function decodeReceipt(bytes: Uint8Array): Receipt | undefined {
  if (bytes.length !== RECEIPT_LENGTH) return undefined;
  const fields = new FieldReader(bytes);
  const kind = asKind(fields.number(1));
  if (kind === undefined) return undefined;
  return {
    kind,
    cardId: fields.bytes(LENGTH.cardId),
    currency: fields.number(2),
    transaction: fields.number(4),
    amount: fields.number(4),
    balance: fields.number(4),
    party: fields.bytes(LENGTH.party),
    reference: fields.bytes(LENGTH.reference),
    time: fields.number(4),
    merchantMac: fields.bytes(LENGTH.mac),
    settlementMac: fields.bytes(LENGTH.mac),
  };
}

function encodeRecord(record: ReceiptRecord): Uint8Array {
  return concat(
    Uint8Array.of(record.kind),
    record.cardId,
    numberField(record.currency, 2),
    numberField(record.transaction, 4),
    numberField(record.amount, 4),
    numberField(record.balance, 4),
    record.party,
    record.reference,
    numberField(record.time, 4),
  );
}

function asKind(value: number): ReceiptKind | undefined {
  return Object.values(RECEIPT_KIND).find((kind) => kind === value);
}
