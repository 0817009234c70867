/** A purse's part of the state file. @core */
import * as v from "valibot";
import { decodeReceipt, encodeReceipt } from "../../stored_value/receipt.ts";
import { decodeOrder, LENGTH, LOG_LENGTH } from "../../stored_value/wire.ts";
import { base64, BYTES, bytesOf, REFERENCE, referenceToFile } from "../codec_fields.ts";
import { isBalanced, type PurseState } from "./state.ts";

/** The purse as JSON. */
export function purseToFile(purse: PurseState): Record<string, unknown> {
  const { cardId, keys, pin, log, asked, ...plain } = purse;
  const { load, settlement, receipt } = keys;
  return {
    ...plain,
    cardId: base64(cardId),
    keys: { load: base64(load), settlement: base64(settlement), receipt: base64(receipt) },
    ...(pin === undefined ? {} : { pin: referenceToFile(pin) }),
    log: log.map((one) => base64(encodeReceipt(one))),
    ...(asked === undefined ? {} : {
      asked: { ...asked, payload: base64(asked.payload), challenge: base64(asked.challenge) },
    }),
  };
}

const AMOUNT = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const WIRE_AMOUNT = v.pipe(AMOUNT, v.maxValue(0xffff_ffff));
const KEY = bytesOf(LENGTH.key);
const RECEIPT = v.pipe(
  BYTES,
  v.rawTransform(({ dataset, addIssue, NEVER }) => {
    const receipt = decodeReceipt(dataset.value);
    if (receipt !== undefined) return receipt;
    addIssue({ message: "no receipt" });
    return NEVER;
  }),
);

/** Reads it back, and refuses books that don't balance. */
export const PURSE_FILE = v.pipe(
  v.object({
    cardId: bytesOf(LENGTH.cardId),
    currency: v.pipe(AMOUNT, v.maxValue(0xffff)),
    limits: v.object({
      balance: WIRE_AMOUNT,
      debit: WIRE_AMOUNT,
      withoutPin: WIRE_AMOUNT,
      withoutPinTotal: WIRE_AMOUNT,
    }),
    keys: v.object({ load: KEY, settlement: KEY, receipt: KEY }),
    pin: v.exactOptional(REFERENCE),
    balance: WIRE_AMOUNT,
    credited: AMOUNT,
    debited: AMOUNT,
    withoutPin: AMOUNT,
    transactions: WIRE_AMOUNT,
    credits: WIRE_AMOUNT,
    log: v.pipe(v.array(RECEIPT), v.maxLength(LOG_LENGTH), v.readonly()),
    isClosed: v.boolean(),
    asked: v.optional(v.object({
      payload: v.pipe(BYTES, v.check((bytes) => decodeOrder(bytes) !== undefined)),
      transaction: WIRE_AMOUNT,
      balance: WIRE_AMOUNT,
      challenge: bytesOf(LENGTH.challenge),
    })),
  }),
  // Absent in files of versions that kept no question.
  v.transform(({ asked, ...one }) => ({ ...one, asked })),
  v.check(isBalanced, "the books don't balance"),
);
