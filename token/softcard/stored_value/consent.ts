import { SW } from "../../apdu/status.ts";
import { type Asked, askMac, doneMac, grantMac, isMac } from "../../stored_value/keys.ts";
import { isPursePinBlock } from "../../stored_value/pin.ts";
import { encodeReceipt, RECEIPT_KIND } from "../../stored_value/receipt.ts";
import {
  decodeLimits,
  decodeOrder,
  encodeAsk,
  encodeQuestion,
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
 * the same to the issuer, and of two the later one is known. Only the last one can be granted. A
 * credit waits in the state, for its holder brings it to the issuer and comes back in another lease;
 * anything else only as long as the card has power, and a new PIN is never in the state as it is.
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
  const { cardId, currency, credits, balance } = purse;
  const challenge = crypto.randomBytes(LENGTH.challenge);
  const fields = { cardId, currency, transaction, credits, balance, challenge };
  const payload = apdu.data.slice();
  const isCredit = purpose === PURPOSE.credit;
  const credit = isCredit ? { payload, transaction, balance, challenge } : undefined;
  const saved = yield* context.save({ transactions: transaction, asked: credit });
  if (!saved) return status(SW.MEMORY_FAILURE);
  const asked: Asked = { purpose, payload, ask: fields };
  if (!isCredit) session.pending = asked;
  return success(encodeAsk({ ...fields, mac: askMac(purse.keys.load, asked) }));
};

/** QUESTION: the credit that waits, once more, for who has lost it on the way to the issuer. */
export const question: PurseCommand = ({ purse }, apdu) => {
  if (apdu.p1 !== 0 || apdu.p2 !== 0) return status(SW.INCORRECT_P1P2);
  const asked = waitingCredit(purse);
  if (asked === undefined) return status(SW.REFERENCE_NOT_FOUND);
  const ask = { ...asked.ask, mac: askMac(purse.keys.load, asked) };
  return success(encodeQuestion({ ...asked, ask }));
};

/**
 * GRANT: the issuer's MAC over what was asked last. It is asked no more once it is granted; a wrong
 * MAC changes nothing, for nobody guesses 16 bytes, and everybody mistypes.
 */
export const grant: PurseCommand = function* (context, apdu) {
  const { purse, session } = context;
  const asked = session.pending ?? waitingCredit(purse);
  if (apdu.p1 !== 0 || apdu.p2 !== 0) return status(SW.INCORRECT_P1P2);
  if (asked === undefined) return status(SW.CONDITIONS_NOT_SATISFIED);
  if (!isMac(apdu.data, grantMac(purse.keys.load, asked))) return status(PURSE_SW.wrongMac);
  session.pending = undefined;
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
  // ASK looked at it. Since then there can only have been payments, and those make room.
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
    asked: undefined,
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

function waitingCredit(purse: PurseState): Asked | undefined {
  const { asked, cardId, currency, credits } = purse;
  if (asked === undefined) return undefined;
  const { payload, ...more } = asked;
  // No credit has arrived since, or the question would be gone: the number is still the same.
  return { purpose: PURPOSE.credit, payload, ask: { cardId, currency, credits, ...more } };
}

function asPurpose(value: number): Purpose | undefined {
  return Object.values(PURPOSE).find((one) => one === value);
}
