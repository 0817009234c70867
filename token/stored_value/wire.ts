/**
 * What goes over the wire between a purse on a card and whoever talks to it: commands, status words
 * and records of fixed length. Both sides are built from this file. Numbers are unsigned, the
 * highest byte first. Modelled on EN 1546 (inter-sector electronic purse), with the shapes of ISO
 * 7816-4. Records in, bytes out, and back. @core
 */
import { concat } from "../apdu/tlv.ts";

/**
 * The application's identifier: category F, unregistered (ISO 7816-5 section 8), "SEKISHO", purse,
 * version 1.
 */
export const STORED_VALUE_AID: Uint8Array = Uint8Array.of(
  ...[0xf0, 0x53, 0x45, 0x4b, 0x49, 0x53, 0x48, 0x4f],
  ...[0x02, 0x01],
);

/** Class of the purse's own commands (ISO 7816-4 section 5.4.1: proprietary). */
export const PURSE_CLA = 0x80;

/** The purse's own instructions, in {@linkcode PURSE_CLA}. */
export const PURSE_INS = {
  /** Begins what needs the issuer's consent; P1: a {@linkcode PURPOSE}. */
  ask: 0x50,
  /** Brings the issuer's consent to what was asked last. */
  grant: 0x52,
  /** Takes money out and answers with a receipt. */
  debit: 0x54,
  /** Tells the credit that was asked for and not granted yet. */
  question: 0x56,
  /** Finds a receipt by its party and reference. */
  receipt: 0x5a,
  status: 0x5c,
  /** Makes a purse where there is none. */
  install: 0xe0,
} as const;

/** Instructions of ISO 7816-4 that the purse knows, in class 00. */
export const PURSE_ISO_INS = {
  verify: 0x20,
  changeReferenceData: 0x24,
  select: 0xa4,
  readRecord: 0xb2,
} as const;

/** P2 of VERIFY and CHANGE REFERENCE DATA. */
export const PURSE_PIN_REFERENCE = 0x80;

/** Status words of the purse's own (ISO 7816-4 section 5.6: 9XYZ but 9000 is proprietary). */
export const PURSE_SW = {
  wrongMac: 0x9302,
  insufficientBalance: 0x9401,
  overLimit: 0x9402,
  counterAtItsEnd: 0x9403,
  otherCurrency: 0x9404,
  /** The reference was used before, for another amount. */
  referenceUsed: 0x9405,
  closed: 0x9406,
} as const;

/** What an issuer consents to. */
export const PURPOSE = { credit: 0x01, limits: 0x02, unblock: 0x03, close: 0x04 } as const;

/** One of {@linkcode PURPOSE}. */
export type Purpose = typeof PURPOSE[keyof typeof PURPOSE];

/** Lengths in bytes. */
export const LENGTH = {
  cardId: 8,
  party: 8,
  reference: 8,
  challenge: 16,
  mac: 16,
  key: 32,
  pin: 8,
} as const;

/** The receipts that a purse remembers, and that READ RECORD gives, the newest first. */
export const LOG_LENGTH = 32;

/** Largest amount, balance and limit: in the currency's smallest unit. */
export const LARGEST_AMOUNT = 0xffff_ffff;

/** What a purse does without asking, in the currency's smallest unit. */
export interface Limits {
  /** A credit that would bring the balance above is refused. */
  readonly balance: number;
  /** Largest single debit. */
  readonly debit: number;
  /** Largest single debit without a PIN; the PIN is good for one above it. */
  readonly withoutPin: number;
  /** Most that debits without a PIN may take together, until a PIN is given again. */
  readonly withoutPinTotal: number;
}

/** What STATUS tells. */
export interface PurseStatus {
  /** {@linkcode LENGTH.cardId} bytes, given by the issuer: never twice. */
  readonly cardId: Uint8Array;
  /** ISO 4217, numeric. */
  readonly currency: number;
  readonly balance: number;
  readonly limits: Limits;
  /** How much debits may still take together without a PIN. */
  readonly withoutPinLeft: number;
  /** Grows with everything that a terminal begins; never repeats. */
  readonly transactions: number;
  /** Credits that arrived. */
  readonly credits: number;
  /** Tries left; `undefined` when the purse has no PIN. */
  readonly pinTries: number | undefined;
  readonly isVerified: boolean;
  readonly isClosed: boolean;
}

/** What a merchant asks a purse for. */
export interface DebitOrder {
  readonly amount: number;
  readonly currency: number;
  /** The merchant, {@linkcode LENGTH.party} bytes. */
  readonly party: Uint8Array;
  /** The merchant's own number of this payment: the same one is never paid twice. */
  readonly reference: Uint8Array;
  /** By the terminal's clock, seconds since 1970; the card has none and takes it as it is. */
  readonly time: number;
}

/** What a card says when something needs the issuer's consent. The MAC covers the payload too. */
export interface Ask {
  readonly cardId: Uint8Array;
  readonly currency: number;
  readonly transaction: number;
  readonly credits: number;
  readonly balance: number;
  readonly challenge: Uint8Array;
  readonly mac: Uint8Array;
}

/** What is asked, and the card's word on itself. */
export interface AskedQuestion {
  readonly purpose: Purpose;
  readonly payload: Uint8Array;
  readonly ask: Ask;
}

/** Payload of {@linkcode PURPOSE.credit}: a debit's order read the other way. */
export type CreditOrder = DebitOrder;

/** A new purse: what INSTALL brings. `pin` is a block of 8 bytes, all FF for none. */
export interface Installation {
  readonly cardId: Uint8Array;
  readonly currency: number;
  readonly limits: Limits;
  readonly keys: CardKeys;
  readonly pin: Uint8Array;
}

/** A card's own keys, {@linkcode LENGTH.key} bytes each: see `keys.ts`. */
export interface CardKeys {
  /** The issuer's consent. */
  readonly load: Uint8Array;
  /** The issuer's proof of what it owes. */
  readonly settlement: Uint8Array;
  /** From which the merchants' keys are made. */
  readonly receipt: Uint8Array;
}

/** Reads fixed fields one after another; every reader says beforehand how long the whole is. */
export class FieldReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  bytes(length: number): Uint8Array {
    this.#at += length;
    return this.#bytes.slice(this.#at - length, this.#at);
  }

  /** A number of one to four bytes. */
  number(length: number): number {
    return this.bytes(length).reduce((value, byte) => value * 256 + byte, 0);
  }
}

/** A number in `length` bytes. @throws {RangeError} when it doesn't fit: a broken invariant. */
export function numberField(value: number, length: number): Uint8Array {
  if (!Number.isInteger(value) || value < 0 || value >= 256 ** length) {
    throw new RangeError(`Cannot write ${value} in ${length} bytes`);
  }
  return Uint8Array.from(
    { length },
    (_, index) => Math.floor(value / 256 ** (length - 1 - index)) & 0xff,
  );
}

const LIMITS_LENGTH = 16;

export function encodeLimits(limits: Limits): Uint8Array {
  const { balance, debit, withoutPin, withoutPinTotal } = limits;
  return concat(...[balance, debit, withoutPin, withoutPinTotal].map((one) => numberField(one, 4)));
}

export function decodeLimits(bytes: Uint8Array): Limits | undefined {
  if (bytes.length !== LIMITS_LENGTH) return undefined;
  return readLimits(new FieldReader(bytes));
}

const STATUS_LENGTH = 8 + 2 + 4 + LIMITS_LENGTH + 4 + 4 + 4 + 1 + 1;
const NO_PIN = 0xff;

export function encodeStatus(status: PurseStatus): Uint8Array {
  return concat(
    status.cardId,
    numberField(status.currency, 2),
    numberField(status.balance, 4),
    encodeLimits(status.limits),
    numberField(status.withoutPinLeft, 4),
    numberField(status.transactions, 4),
    numberField(status.credits, 4),
    numberField(status.pinTries ?? NO_PIN, 1),
    numberField((status.isVerified ? 1 : 0) | (status.isClosed ? 2 : 0), 1),
  );
}

export function decodeStatus(bytes: Uint8Array): PurseStatus | undefined {
  if (bytes.length !== STATUS_LENGTH) return undefined;
  const fields = new FieldReader(bytes);
  const cardId = fields.bytes(LENGTH.cardId);
  const currency = fields.number(2);
  const balance = fields.number(4);
  const limits = readLimits(fields);
  const withoutPinLeft = fields.number(4);
  const transactions = fields.number(4);
  const credits = fields.number(4);
  const pinTries = fields.number(1);
  const flags = fields.number(1);
  return {
    cardId,
    currency,
    balance,
    limits,
    withoutPinLeft,
    transactions,
    credits,
    pinTries: pinTries === NO_PIN ? undefined : pinTries,
    isVerified: (flags & 1) !== 0,
    isClosed: (flags & 2) !== 0,
  };
}

const ORDER_LENGTH = 4 + 2 + LENGTH.party + LENGTH.reference + 4;

export function encodeOrder(order: DebitOrder): Uint8Array {
  return concat(
    numberField(order.amount, 4),
    numberField(order.currency, 2),
    order.party,
    order.reference,
    numberField(order.time, 4),
  );
}

export function decodeOrder(bytes: Uint8Array): DebitOrder | undefined {
  if (bytes.length !== ORDER_LENGTH) return undefined;
  const fields = new FieldReader(bytes);
  return {
    amount: fields.number(4),
    currency: fields.number(2),
    party: fields.bytes(LENGTH.party),
    reference: fields.bytes(LENGTH.reference),
    time: fields.number(4),
  };
}

const ASK_LENGTH = LENGTH.cardId + 2 + 4 + 4 + 4 + LENGTH.challenge + LENGTH.mac;

/** What both MACs of a consent cover, after purpose and payload. */
export function encodeAskFields(ask: Omit<Ask, "mac">): Uint8Array {
  return concat(
    ask.cardId,
    numberField(ask.currency, 2),
    numberField(ask.transaction, 4),
    numberField(ask.credits, 4),
    numberField(ask.balance, 4),
    ask.challenge,
  );
}

export function encodeAsk(ask: Ask): Uint8Array {
  return concat(encodeAskFields(ask), ask.mac);
}

export function decodeAsk(bytes: Uint8Array): Ask | undefined {
  if (bytes.length !== ASK_LENGTH) return undefined;
  const fields = new FieldReader(bytes);
  return {
    cardId: fields.bytes(LENGTH.cardId),
    currency: fields.number(2),
    transaction: fields.number(4),
    credits: fields.number(4),
    balance: fields.number(4),
    challenge: fields.bytes(LENGTH.challenge),
    mac: fields.bytes(LENGTH.mac),
  };
}

/** A question as it is carried to the issuer: purpose, length of the payload, payload, ask. */
export function encodeQuestion({ purpose, payload, ask }: AskedQuestion): Uint8Array {
  return concat(Uint8Array.of(purpose, payload.length), payload, encodeAsk(ask));
}

export function decodeQuestion(bytes: Uint8Array): AskedQuestion | undefined {
  const purpose = Object.values(PURPOSE).find((one) => one === bytes[0]);
  const end = 2 + (bytes[1] ?? 0);
  const ask = decodeAsk(bytes.subarray(end));
  if (purpose === undefined || ask === undefined) return undefined;
  return { purpose, payload: bytes.slice(2, end), ask };
}

const INSTALLATION_LENGTH = LENGTH.cardId + 2 + LIMITS_LENGTH + 3 * LENGTH.key + LENGTH.pin;

export function encodeInstallation(one: Installation): Uint8Array {
  const { load, settlement, receipt } = one.keys;
  return concat(
    one.cardId,
    numberField(one.currency, 2),
    encodeLimits(one.limits),
    load,
    settlement,
    receipt,
    one.pin,
  );
}

export function decodeInstallation(bytes: Uint8Array): Installation | undefined {
  if (bytes.length !== INSTALLATION_LENGTH) return undefined;
  const fields = new FieldReader(bytes);
  return {
    cardId: fields.bytes(LENGTH.cardId),
    currency: fields.number(2),
    limits: readLimits(fields),
    keys: {
      load: fields.bytes(LENGTH.key),
      settlement: fields.bytes(LENGTH.key),
      receipt: fields.bytes(LENGTH.key),
    },
    pin: fields.bytes(LENGTH.pin),
  };
}

function readLimits(fields: FieldReader): Limits {
  return {
    balance: fields.number(4),
    debit: fields.number(4),
    withoutPin: fields.number(4),
    withoutPinTotal: fields.number(4),
  };
}
