/**
 * A purse on a card, for programs: a terminal, the issuing station, a browser's page behind a
 * lease. It sends commands and reads answers over a {@linkcode CardChannel}; it holds no keys, for
 * none is needed to pay, to ask for a credit or to carry the issuer's consent to the card.
 */
import type { CardChannel } from "../apdu/channel.ts";
import { command, type CommandApdu } from "../apdu/command.ts";
import { exchangeApdu } from "../apdu/exchange.ts";
import type { ResponseApdu } from "../apdu/response.ts";
import { SW, triesLeft } from "../apdu/status.ts";
import { concat } from "../apdu/tlv.ts";
import { garbled, PurseRefusedError } from "./client_errors.ts";
import { NO_PIN_BLOCK, pursePinBlock } from "./pin.ts";
import { decodeReceipt, type Receipt, RECEIPT_KIND, type ReceiptKind } from "./receipt.ts";
import {
  type AskedQuestion,
  type CreditOrder,
  type DebitOrder,
  decodeAsk,
  decodeQuestion,
  decodeStatus,
  encodeInstallation,
  encodeLimits,
  encodeOrder,
  type Installation,
  type Limits,
  LOG_LENGTH,
  PURPOSE,
  type Purpose,
  PURSE_CLA,
  PURSE_INS,
  PURSE_ISO_INS,
  PURSE_PIN_REFERENCE,
  type PurseStatus,
  STORED_VALUE_AID,
} from "./wire.ts";

/** How a comparison of the purse's PIN ended; "malformed": not 4 to 8 digits, no try was spent. */
export type PursePinResult =
  | { readonly outcome: "ok" }
  | { readonly outcome: "wrong"; readonly triesLeft: number }
  | { readonly outcome: "blocked" }
  | { readonly outcome: "malformed" }
  | { readonly outcome: "none" };

/**
 * What goes to the issuer: what is asked, and the card's word on itself. Nothing in it is secret,
 * but for a new PIN in {@linkcode StoredValueClient.askUnblock}'s, which stays at the station.
 */
export type Question = AskedQuestion;

/** No answer of a purse is longer than a short one. */
const LONGEST_ANSWER = 256;
const RECORD_NOT_FOUND = 0x6a83;

export class StoredValueClient {
  readonly #channel: CardChannel;

  constructor(channel: CardChannel) {
    this.#channel = channel;
  }

  /** Selects the purse. `false`: the card has no such application. */
  async select(): Promise<boolean> {
    const { sw } = await this.#send(
      command({ ins: PURSE_ISO_INS.select, p1: 0x04 }, { data: STORED_VALUE_AID, ne: 256 }),
    );
    if (sw !== SW.OK && sw !== SW.FILE_NOT_FOUND) {
      throw new PurseRefusedError("select the purse", sw);
    }
    return sw === SW.OK;
  }

  /** Balance, limits and counters; `undefined` when no issuer has put a purse on the card yet. */
  async status(): Promise<PurseStatus | undefined> {
    const { sw, data } = await this.#own(PURSE_INS.status);
    if (sw === SW.CONDITIONS_NOT_SATISFIED) return undefined;
    if (sw !== SW.OK) throw new PurseRefusedError("read the purse", sw);
    return decodeStatus(data) ?? fail("its status");
  }

  /**
   * Verifies the PIN, 4 to 8 ASCII digits that the caller wipes: it is good for one debit above the
   * limits, and for reading the log.
   */
  async verify(pin: Uint8Array): Promise<PursePinResult> {
    const block = pursePinBlock(pin);
    if (block === undefined) return { outcome: "malformed" };
    return pinResult((await this.#pin(PURSE_ISO_INS.verify, block)).sw);
  }

  /** Sets a new PIN by the old one; the caller wipes both. */
  async changePin(old: Uint8Array, fresh: Uint8Array): Promise<PursePinResult> {
    const [first, second] = [pursePinBlock(old), pursePinBlock(fresh)];
    if (first === undefined || second === undefined) {
      first?.fill(0);
      second?.fill(0);
      return { outcome: "malformed" };
    }
    const both = concat(first, second);
    first.fill(0);
    second.fill(0);
    return pinResult((await this.#pin(PURSE_ISO_INS.changeReferenceData, both)).sw);
  }

  /**
   * Takes money out. Sent again with the same party and reference (the answer was lost, the card
   * was pulled) it gives the same receipt and takes nothing; so it is safe to repeat.
   * @throws {PurseRefusedError} with the reason; nothing was taken.
   */
  async debit(order: DebitOrder): Promise<Receipt> {
    const answer = await this.#own(PURSE_INS.debit, { data: encodeOrder(order) });
    return receiptIn(answer, "pay");
  }

  /** Asks for a credit: bring the question to the issuer, and its consent to {@linkcode grant}. */
  askCredit(order: CreditOrder): Promise<Question> {
    return this.#ask(PURPOSE.credit, encodeOrder(order));
  }

  /** The credit that was asked for and has not arrived; `undefined` when there is none. */
  async question(): Promise<Question | undefined> {
    const { sw, data } = await this.#own(PURSE_INS.question);
    // Cards that forget their questions don't know this instruction.
    if (sw === SW.REFERENCE_NOT_FOUND || sw === SW.INS_NOT_SUPPORTED) return undefined;
    if (sw !== SW.OK) throw new PurseRefusedError("read what the purse has asked for", sw);
    return decodeQuestion(data) ?? fail("its question");
  }

  askLimits(limits: Limits): Promise<Question> {
    return this.#ask(PURPOSE.limits, encodeLimits(limits));
  }

  /** Asks for a new PIN in the place of one that is blocked or forgotten. */
  askUnblock(pin: Uint8Array): Promise<Question> {
    const block = pursePinBlock(pin);
    if (block === undefined) {
      throw new PurseRefusedError("set the purse's PIN", SW.INCORRECT_DATA, "malformed");
    }
    return this.#ask(PURPOSE.unblock, block);
  }

  /** Asks to pay out what is left and close the purse for ever. */
  askClose(): Promise<Question> {
    return this.#ask(PURPOSE.close, new Uint8Array(0));
  }

  /**
   * Brings the issuer's consent to the card. Credits and closings give a receipt, the others the
   * card's word that it was done: bytes for the issuer, which can check them.
   */
  async grant(purpose: Purpose, mac: Uint8Array): Promise<Receipt | Uint8Array> {
    const answer = await this.#own(PURSE_INS.grant, { data: mac });
    if (purpose === PURPOSE.credit || purpose === PURPOSE.close) {
      return receiptIn(answer, "bring the issuer's consent to the purse");
    }
    if (answer.sw !== SW.OK) {
      throw new PurseRefusedError("bring the issuer's consent to the purse", answer.sw);
    }
    return answer.data;
  }

  /** Finds a receipt by what its party knows; `undefined` when the purse no longer has it. */
  async receipt(
    party: Uint8Array,
    reference: Uint8Array,
    { kind = RECEIPT_KIND.debit }: { kind?: ReceiptKind } = {},
  ): Promise<Receipt | undefined> {
    const data = concat(party, reference);
    const answer = await this.#own(PURSE_INS.receipt, { p1: kind, data });
    return answer.sw === RECORD_NOT_FOUND ? undefined : receiptIn(answer, "find the receipt");
  }

  /** What the purse remembers, the newest first. Needs the PIN, where the purse has one. */
  async log(): Promise<Receipt[]> {
    const found: Receipt[] = [];
    for (let record = 1; record <= LOG_LENGTH; record++) {
      const answer = await this.#send(
        command({ ins: PURSE_ISO_INS.readRecord, p1: record, p2: 0x04 }, { ne: 256 }),
      );
      if (answer.sw === RECORD_NOT_FOUND) break;
      found.push(receiptIn(answer, "read the purse's log"));
    }
    return found;
  }

  /** Puts a purse on a card that has none: at the issuer's own reader, for keys cross it. */
  async install(
    purse: Omit<Installation, "pin"> & { readonly pin?: Uint8Array },
  ): Promise<void> {
    const pin = purse.pin === undefined ? NO_PIN_BLOCK.slice() : pursePinBlock(purse.pin);
    if (pin === undefined) {
      throw new PurseRefusedError("install a purse", SW.INCORRECT_DATA, "malformed");
    }
    const data = encodeInstallation({ ...purse, pin });
    pin.fill(0);
    const { sw } = await this.#own(PURSE_INS.install, { data });
    data.fill(0);
    if (sw !== SW.OK) throw new PurseRefusedError("install a purse", sw);
  }

  async #ask(purpose: Purpose, payload: Uint8Array): Promise<Question> {
    const { sw, data } = await this.#own(PURSE_INS.ask, { p1: purpose, data: payload });
    if (sw !== SW.OK) throw new PurseRefusedError("ask for the issuer's consent", sw);
    return { purpose, payload, ask: decodeAsk(data) ?? fail("its question") };
  }

  async #pin(ins: number, data: Uint8Array): Promise<ResponseApdu> {
    try {
      return await this.#send(command({ ins, p2: PURSE_PIN_REFERENCE }, { data }));
    } finally {
      data.fill(0);
    }
  }

  #own(ins: number, more: { p1?: number; data?: Uint8Array } = {}): Promise<ResponseApdu> {
    const { p1 = 0, data = new Uint8Array(0) } = more;
    return this.#send(command({ cla: PURSE_CLA, ins, p1 }, { data, ne: 256 }));
  }

  #send(apdu: CommandApdu): Promise<ResponseApdu> {
    return exchangeApdu(this.#channel, apdu, { longest: LONGEST_ANSWER });
  }
}

function receiptIn({ sw, data }: ResponseApdu, doing: string): Receipt {
  if (sw !== SW.OK) throw new PurseRefusedError(doing, sw);
  return decodeReceipt(data) ?? fail("a receipt");
}

function pinResult(sw: number): PursePinResult {
  const left = triesLeft(sw);
  if (left !== undefined) return { outcome: "wrong", triesLeft: left };
  switch (sw) {
    case SW.OK:
      return { outcome: "ok" };
    case SW.AUTH_METHOD_BLOCKED:
      return { outcome: "blocked" };
    case SW.REFERENCE_NOT_FOUND:
      return { outcome: "none" };
    case SW.INCORRECT_DATA:
      return { outcome: "malformed" };
    default:
      throw new PurseRefusedError("verify the purse's PIN", sw);
  }
}

function fail(what: string): never {
  throw garbled(what);
}
