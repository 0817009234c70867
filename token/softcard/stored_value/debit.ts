import { SW } from "../../apdu/status.ts";
import { equalBytes } from "../../constant_time.ts";
import { merchantKey } from "../../stored_value/keys.ts";
import {
  encodeReceipt,
  type Receipt,
  RECEIPT_KIND,
  type ReceiptKind,
  type ReceiptRecord,
  signReceipt,
} from "../../stored_value/receipt.ts";
import { decodeOrder, LARGEST_AMOUNT, LOG_LENGTH, PURSE_SW } from "../../stored_value/wire.ts";
import { status, success } from "../application.ts";
import type { PurseCommand } from "./context.ts";
import type { PurseState } from "./state.ts";

/**
 * DEBIT. Money, counter and receipt change in one state: they are all there after a power cut, or
 * none is. A payment that was made is answered with its receipt again, so that a terminal whose
 * answer was lost asks again and nobody pays twice.
 */
export const debit: PurseCommand = function* (context, apdu) {
  const { purse, session } = context;
  const order = decodeOrder(apdu.data);
  if (apdu.p1 !== 0 || apdu.p2 !== 0) return status(SW.INCORRECT_P1P2);
  if (order === undefined || order.amount === 0) return status(SW.INCORRECT_DATA);
  const earlier = findReceipt(purse, { kind: RECEIPT_KIND.debit, ...order });
  if (earlier !== undefined) {
    const isSame = earlier.amount === order.amount && earlier.currency === order.currency;
    return isSame ? success(encodeReceipt(earlier)) : status(PURSE_SW.referenceUsed);
  }
  if (purse.isClosed) return status(PURSE_SW.closed);
  const { amount, currency, party, reference, time } = order;
  if (currency !== purse.currency) return status(PURSE_SW.otherCurrency);
  if (amount > purse.limits.debit) return status(PURSE_SW.overLimit);
  if (amount > purse.balance) return status(PURSE_SW.insufficientBalance);
  if (needsPin(purse, amount) && !session.isPinFresh) {
    return status(SW.SECURITY_STATUS_NOT_SATISFIED);
  }
  const transaction = nextTransaction(purse);
  if (transaction === undefined) return status(PURSE_SW.counterAtItsEnd);
  const balance = purse.balance - amount;
  const receipt = receiptOf(purse, {
    kind: RECEIPT_KIND.debit,
    transaction,
    amount,
    balance,
    party,
    reference,
    time,
  });
  const withoutPin = session.isPinFresh ? 0 : purse.withoutPin + amount;
  session.isPinFresh = false;
  const saved = yield* context.save({
    balance,
    debited: purse.debited + amount,
    transactions: transaction,
    withoutPin,
    log: logged(purse, receipt),
  });
  return saved ? success(encodeReceipt(receipt)) : status(SW.MEMORY_FAILURE);
};

/** The counter's next value; `undefined` when it is at its end. */
export function nextTransaction(purse: PurseState): number | undefined {
  return purse.transactions < LARGEST_AMOUNT ? purse.transactions + 1 : undefined;
}

/** A receipt under this card's keys. */
export function receiptOf(
  purse: PurseState,
  record: Omit<ReceiptRecord, "cardId" | "currency">,
): Receipt {
  const { cardId, currency, keys } = purse;
  const merchant = merchantKey(keys.receipt, record.party);
  const receipt = signReceipt({ ...record, cardId, currency }, {
    merchant,
    settlement: keys.settlement,
  });
  merchant.fill(0);
  return receipt;
}

/** The log with one more receipt; the oldest one goes. */
export function logged(purse: PurseState, receipt: Receipt): Receipt[] {
  return [receipt, ...purse.log].slice(0, LOG_LENGTH);
}

export function findReceipt(
  purse: PurseState,
  wanted: { kind: ReceiptKind; party: Uint8Array; reference: Uint8Array },
): Receipt | undefined {
  return purse.log.find((one) =>
    one.kind === wanted.kind && equalBytes(one.party, wanted.party) &&
    equalBytes(one.reference, wanted.reference)
  );
}

/** Many small debits are one big one: their sum has a limit, too. */
function needsPin({ limits, withoutPin }: PurseState, amount: number): boolean {
  return amount > limits.withoutPin || withoutPin + amount > limits.withoutPinTotal;
}
