/** The keys of a stored-value scheme, and the MACs under them. Keys and records in, MACs out. @core */
import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { concat } from "../apdu/tlv.ts";
import { equalBytes } from "../constant_time.ts";
import { type Ask, type CardKeys, encodeAskFields, LENGTH, type Purpose } from "./wire.ts";

/** The issuer's three master keys, 32 random bytes each. They never leave the issuer. */
export type MasterKeys = CardKeys;

/** A card's keys from the masters: whoever takes one card apart has the keys of that card only. */
export function cardKeys(masters: MasterKeys, cardId: Uint8Array): CardKeys {
  return {
    load: derive(masters.load, "load key", cardId),
    settlement: derive(masters.settlement, "settlement key", cardId),
    receipt: derive(masters.receipt, "receipt key", cardId),
  };
}

/**
 * The key under which one card makes receipts for one merchant. The issuer gives it to that
 * merchant's back office, which can check receipts and forge none that the issuer would pay.
 */
export function merchantKey(receiptKey: Uint8Array, party: Uint8Array): Uint8Array {
  return derive(receiptKey, "merchant key", party);
}

/** Wipes a card's keys. */
export function wipeKeys(keys: CardKeys): void {
  for (const key of [keys.load, keys.settlement, keys.receipt]) key.fill(0);
}

/** The card's word on what it was asked for: proves the card, its counters and its balance. */
export function askMac(loadKey: Uint8Array, asked: Asked): Uint8Array {
  return mac(loadKey, "ask", askedBytes(asked));
}

/** The issuer's consent to exactly that, once. */
export function grantMac(loadKey: Uint8Array, asked: Asked): Uint8Array {
  return mac(loadKey, "grant", askedBytes(asked));
}

/** The card's word that it was done. */
export function doneMac(loadKey: Uint8Array, asked: Asked): Uint8Array {
  return mac(loadKey, "done", askedBytes(asked));
}

/** What is asked, with what the card says about itself. */
export interface Asked {
  readonly purpose: Purpose;
  readonly payload: Uint8Array;
  readonly ask: Omit<Ask, "mac">;
}

/** MAC under a receipt's first key, the merchant's. */
export function merchantMac(key: Uint8Array, record: Uint8Array): Uint8Array {
  return mac(key, "receipt", record);
}

/** MAC under a receipt's second key, the issuer's. It covers the first one, too. */
export function settlementMac(key: Uint8Array, record: Uint8Array): Uint8Array {
  return mac(key, "settlement", record);
}

/** Whether a MAC is the expected one, in constant time. */
export function isMac(given: Uint8Array, right: Uint8Array): boolean {
  return equalBytes(given, right);
}

function askedBytes({ purpose, payload, ask }: Asked): Uint8Array {
  // The payload's length follows from the purpose: no two cases have the same bytes.
  return concat(Uint8Array.of(purpose, payload.length), payload, encodeAskFields(ask));
}

function derive(key: Uint8Array, what: string, of: Uint8Array): Uint8Array {
  return hmac(sha256, key, concat(label(what), of));
}

/** HMAC-SHA-256 cut to 16 bytes (RFC 2104 section 5), with a label of its own for each use. */
function mac(key: Uint8Array, what: string, record: Uint8Array): Uint8Array {
  return hmac(sha256, key, concat(label(what), record)).slice(0, LENGTH.mac);
}

function label(what: string): Uint8Array {
  // Ended by a zero, so that no label with its record is another one with its own.
  return new TextEncoder().encode(`sekisho stored value 1 ${what}\0`);
}
