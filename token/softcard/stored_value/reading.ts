import { SW } from "../../apdu/status.ts";
import { encodeReceipt, RECEIPT_KIND } from "../../stored_value/receipt.ts";
import { encodeStatus, LENGTH } from "../../stored_value/wire.ts";
import { status, success } from "../application.ts";
import type { PurseCommand } from "./context.ts";
import { findReceipt } from "./debit.ts";

/** ISO 7816-4: the file has no such record. */
const RECORD_NOT_FOUND = 0x6a83;

/** STATUS: what a display shows; it needs no PIN. */
export const getStatus: PurseCommand = ({ purse, session }, apdu) => {
  if (apdu.p1 !== 0 || apdu.p2 !== 0) return status(SW.INCORRECT_P1P2);
  const { limits, withoutPin } = purse;
  return success(encodeStatus({
    ...purse,
    withoutPinLeft: Math.max(0, limits.withoutPinTotal - withoutPin),
    pinTries: purse.pin?.triesLeft,
    isVerified: session.isVerified,
  }));
};

/**
 * READ RECORD: one receipt, 1 is the newest. Where somebody bought what is nobody's business who
 * happens to have the reader: it needs the PIN, if there is one.
 */
export const readRecord: PurseCommand = ({ purse, session }, apdu) => {
  if (apdu.p2 !== 0x04 || apdu.data.length > 0) return status(SW.INCORRECT_P1P2);
  if (purse.pin !== undefined && !session.isVerified) {
    return status(SW.SECURITY_STATUS_NOT_SATISFIED);
  }
  const receipt = purse.log[apdu.p1 - 1];
  return receipt === undefined ? status(RECORD_NOT_FOUND) : success(encodeReceipt(receipt));
};

/** RECEIPT: P1 kind; party and reference. Who knows both was there: it needs no PIN. */
export const getReceipt: PurseCommand = ({ purse }, apdu) => {
  const kind = Object.values(RECEIPT_KIND).find((one) => one === apdu.p1);
  if (kind === undefined || apdu.p2 !== 0) return status(SW.INCORRECT_P1P2);
  if (apdu.data.length !== LENGTH.party + LENGTH.reference) return status(SW.INCORRECT_DATA);
  const party = apdu.data.subarray(0, LENGTH.party);
  const reference = apdu.data.subarray(LENGTH.party);
  const receipt = findReceipt(purse, { kind, party, reference });
  return receipt === undefined ? status(RECORD_NOT_FOUND) : success(encodeReceipt(receipt));
};
