import { SW } from "../../apdu/status.ts";
import { type Asked, askMac, doneMac, grantMac, isMac } from "../../stored_value/keys.ts";
import { isPursePinBlock } from "../../stored_value/pin.ts";
import { encodeReceipt, RECEIPT_KIND } from "../../stored_value/receipt.ts";
import {
  decodeLimits,
  decodeOrder,
  encodeAsk,
  LENGTH,
  PURPOSE,
  type Purpose,
  PURSE_SW,
} from "../../stored_value/wire.ts";
import type { ResponseApdu } from "../../apdu/response.ts";
import { status, success } from "../application.ts";
import type { CardScript } from "../memory.ts";
import { renewReference } from "../references.ts";
import type { PurseCommand, PurseContext } from "./context.ts";
import { findReceipt, logged, nextTransaction, receiptOf } from "./debit.ts";
import type { PurseState } from "./state.ts";

/**
 * ASK. The counter goes on durably before anything is answered: no two questions of one card look
 * the same to the issuer, and of two the later one is known. Only the last one can be granted, and
 * only as long as the card has power.
 */
export const ask: PurseCommand = function* (context, apdu) {
  const { purse, session, crypto } = context;
  session.pending = undefined;
  const purpose = asPurpose(apdu.p1);
  if (purpose === undefined || apdu.p2 !== 0) return status(SW.INCORRECT_P1P2);
  if (purse.isClosed) return status(PURSE_SW.closed);
  const refusal = refuse(purse, { purpose, payload: apdu.data });
  if (refusal !== undefined) return status(refusal);
  const transaction = nextTransaction(purse);
  if (transaction === undefined) return status(PURSE_SW.counterAtItsEnd);
  if (!(yield* context.save({ transactions: transaction }))) return status(SW.MEMORY_FAILURE);
  const { cardId, currency, credits, balance } = purse;
  const challenge = crypto.randomBytes(LENGTH.challenge);
  const fields = { cardId, currency, transaction, credits, balance, challenge };
  const asked: Asked = { purpose, payload: apdu.data.slice(), ask: fields };
  session.pending = asked;
  return success(encodeAsk({ ...fields, mac: askMac(purse.keys.load, asked) }));
};

/** GRANT: the issuer's MAC over what was asked last. Whatever comes of it, it is asked no more. */
export const grant: PurseCommand = function* (context, apdu) {
  const { purse, session } = context;
  const asked = session.pending;
  session.pending = undefined;
  if (apdu.p1 !== 0 || apdu.p2 !== 0) return status(SW.INCORRECT_P1P2);
  if (asked === undefined) return status(SW.CONDITIONS_NOT_SATISFIED);
  if (!isMac(apdu.data, grantMac(purse.keys.load, asked))) return status(PURSE_SW.wrongMac);
  switch (asked.purpose) {
    case PURPOSE.credit:
      return yield* credit(context, asked);
    case PURPOSE.limits: {
      const limits = decodeLimits(asked.payload);
      return yield* finish(context, { asked, change: limits === undefined ? {} : { limits } });
    }
    case PURPOSE.unblock:
      return yield* unblock(context, asked);
    case PURPOSE.close:
      return yield* close(context, asked);
  }
};

/** What speaks against it already now; a status word. */
function refuse(
  purse: PurseState,
  { purpose, payload }: { purpose: Purpose; payload: Uint8Array },
): number | undefined {
  switch (purpose) {
    case PURPOSE.credit: {
      const order = decodeOrder(payload);
      if (order === undefined || order.amount === 0) return SW.INCORRECT_DATA;
      if (order.currency !== purse.currency) return PURSE_SW.otherCurrency;
      if (purse.balance + order.amount > purse.limits.balance) return PURSE_SW.overLimit;
      const earlier = findReceipt(purse, { kind: RECEIPT_KIND.credit, ...order });
      return earlier === undefined ? undefined : PURSE_SW.referenceUsed;
    }
    case PURPOSE.limits:
      return decodeLimits(payload) === undefined ? SW.INCORRECT_DATA : undefined;
    case PURPOSE.unblock:
      if (purse.pin === undefined) return SW.REFERENCE_NOT_FOUND;
      return isPursePinBlock(payload) ? undefined : SW.INCORRECT_DATA;
    case PURPOSE.close:
      return payload.length === 0 ? undefined : SW.INCORRECT_DATA;
  }
}

function* credit(context: PurseContext, asked: Asked): CardScript<ResponseApdu> {
  const { purse } = context;
  const order = decodeOrder(asked.payload);
  // ASK looked at it, and nothing came in between: whatever changes the purse drops the question.
  if (order === undefined) return status(SW.CONDITIONS_NOT_SATISFIED);
  const { amount, party, reference, time } = order;
  const balance = purse.balance + amount;
  const receipt = receiptOf(purse, {
    kind: RECEIPT_KIND.credit,
    transaction: asked.ask.transaction,
    amount,
    balance,
    party,
    reference,
    time,
  });
  const saved = yield* context.save({
    balance,
    credited: purse.credited + amount,
    credits: purse.credits + 1,
    log: logged(purse, receipt),
  });
  return saved ? success(encodeReceipt(receipt)) : status(SW.MEMORY_FAILURE);
}

function* unblock(context: PurseContext, asked: Asked): CardScript<ResponseApdu> {
  const { crypto, purse, session } = context;
  if (purse.pin === undefined) return status(SW.REFERENCE_NOT_FOUND);
  session.isVerified = false;
  session.isPinFresh = false;
  // Nothing is wrapped under this PIN but its own proof: a new one serves.
  const masterKey = crypto.randomBytes(LENGTH.key);
  const pin = renewReference(purse.pin, { crypto, secret: asked.payload, masterKey });
  masterKey.fill(0);
  return yield* finish(context, { asked, change: { pin } });
}

/** The last receipt pays out what is left: the issuer gives it to the holder in another way. */
function* close(context: PurseContext, asked: Asked): CardScript<ResponseApdu> {
  const { purse } = context;
  const nobody = new Uint8Array(LENGTH.party);
  const receipt = receiptOf(purse, {
    kind: RECEIPT_KIND.closing,
    transaction: asked.ask.transaction,
    amount: purse.balance,
    balance: 0,
    party: nobody,
    reference: nobody,
    time: 0,
  });
  const saved = yield* context.save({
    balance: 0,
    debited: purse.debited + purse.balance,
    isClosed: true,
    log: logged(purse, receipt),
  });
  return saved ? success(encodeReceipt(receipt)) : status(SW.MEMORY_FAILURE);
}

function* finish(
  context: PurseContext,
  { asked, change }: { asked: Asked; change: Partial<PurseState> },
): CardScript<ResponseApdu> {
  const done = doneMac(context.purse.keys.load, asked);
  return (yield* context.save(change)) ? success(done) : status(SW.MEMORY_FAILURE);
}

function asPurpose(value: number): Purpose | undefined {
  return Object.values(PURPOSE).find((one) => one === value);
}
