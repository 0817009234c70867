/** Purse commands in, answers out; every change goes through the card's memory. @core */
import type { CommandApdu } from "../../apdu/command.ts";
import type { ResponseApdu } from "../../apdu/response.ts";
import { SW } from "../../apdu/status.ts";
import { concat, encodeTlv } from "../../apdu/tlv.ts";
import { isPursePinBlock, NO_PIN_BLOCK } from "../../stored_value/pin.ts";
import {
  decodeInstallation,
  LENGTH,
  PURSE_CLA,
  PURSE_INS,
  PURSE_ISO_INS,
  STORED_VALUE_AID,
} from "../../stored_value/wire.ts";
import { equalBytes } from "../../constant_time.ts";
import { type CardApplication, status, success } from "../application.ts";
import type { CardCrypto } from "../crypto.ts";
import { DEFAULT_TRIES } from "../limits.ts";
import type { CardMemory, CardScript } from "../memory.ts";
import { wrapMasterKey } from "../vault.ts";
import { ask, grant, question } from "./consent.ts";
import type { PurseCommand, PurseContext, PurseSession } from "./context.ts";
import { debit } from "./debit.ts";
import { changePin, verify } from "./pins.ts";
import { getReceipt, getStatus, readRecord } from "./reading.ts";

/** The stored-value application. Without a purse it can be selected, and INSTALL makes one. */
export class PurseApplication implements CardApplication {
  readonly proprietaryClass: number = PURSE_CLA;
  readonly #memory: CardMemory;
  readonly #crypto: CardCrypto;
  #session: PurseSession = newSession();

  constructor(memory: CardMemory, crypto: CardCrypto) {
    this.#memory = memory;
    this.#crypto = crypto;
  }

  answersTo(aid: Uint8Array): boolean {
    return equalBytes(aid, STORED_VALUE_AID);
  }

  select(): ResponseApdu {
    this.#session = newSession();
    return success(FILE_CONTROL_INFORMATION);
  }

  *handle(apdu: CommandApdu): CardScript<ResponseApdu> {
    const commands = apdu.cla === PURSE_CLA ? OWN_COMMANDS : ISO_COMMANDS;
    if (apdu.cla === PURSE_CLA && apdu.ins === PURSE_INS.install) return yield* this.#install(apdu);
    const run = commands.get(apdu.ins);
    if (run === undefined) return status(SW.INS_NOT_SUPPORTED);
    const context = this.#context();
    if (context === undefined) return status(SW.CONDITIONS_NOT_SATISFIED);
    const work = run(context, apdu);
    return "sw" in work ? work : yield* work;
  }

  deselect(): void {
    this.#session = newSession();
  }

  /**
   * INSTALL: once. The keys come in the clear, so it belongs on the issuer's own reader; a purse
   * that somebody else installs has keys that the issuer doesn't know, and is worth nothing.
   */
  *#install(apdu: CommandApdu): CardScript<ResponseApdu> {
    const crypto = this.#crypto;
    const { state } = this.#memory;
    if (state.purse !== undefined) return status(SW.CONDITIONS_NOT_SATISFIED);
    if (apdu.p1 !== 0 || apdu.p2 !== 0) return status(SW.INCORRECT_P1P2);
    const one = decodeInstallation(apdu.data);
    if (one === undefined) return status(SW.INCORRECT_DATA);
    const hasPin = !equalBytes(one.pin, NO_PIN_BLOCK);
    if (hasPin && !isPursePinBlock(one.pin)) return status(SW.INCORRECT_DATA);
    const { cardId, currency, limits, keys } = one;
    const purse = {
      ...{ cardId, currency, limits, keys },
      ...(hasPin ? { pin: newPin(one.pin) } : {}),
      ...{ balance: 0, credited: 0, debited: 0, withoutPin: 0, transactions: 0, credits: 0 },
      ...{ log: [], isClosed: false, asked: undefined },
    };
    const saved = yield* this.#memory.save({ ...state, purse });
    return status(saved ? SW.OK : SW.MEMORY_FAILURE);

    function newPin(secret: Uint8Array) {
      const masterKey = crypto.randomBytes(LENGTH.key);
      const { cost } = state.piv.pin;
      const options = { crypto, secret, tries: DEFAULT_TRIES, isDefault: false, cost };
      const pin = wrapMasterKey(masterKey, options);
      masterKey.fill(0);
      return pin;
    }
  }

  #context(): PurseContext | undefined {
    const memory = this.#memory;
    const { purse } = memory.state;
    if (purse === undefined) return undefined;
    return {
      ...{ memory, crypto: this.#crypto, session: this.#session, purse },
      *save(change) {
        const { purse: now } = memory.state;
        // It was there when the command began, and no command takes a purse away.
        if (now === undefined) return false;
        return yield* memory.save({ ...memory.state, purse: { ...now, ...change } });
      },
    };
  }
}

function newSession(): PurseSession {
  return { isVerified: false, isPinFresh: false, pending: undefined };
}

/** ISO 7816-4 section 7.4.3: template 6F with the name (84) and a label (A5, 50). */
const FILE_CONTROL_INFORMATION = encodeTlv(
  0x6f,
  concat(
    encodeTlv(0x84, STORED_VALUE_AID),
    encodeTlv(0xa5, encodeTlv(0x50, new TextEncoder().encode("Sekisho purse"))),
  ),
);

const OWN_COMMANDS: ReadonlyMap<number, PurseCommand> = new Map<number, PurseCommand>([
  [PURSE_INS.ask, ask],
  [PURSE_INS.grant, grant],
  [PURSE_INS.debit, debit],
  [PURSE_INS.question, question],
  [PURSE_INS.receipt, getReceipt],
  [PURSE_INS.status, getStatus],
]);

const ISO_COMMANDS: ReadonlyMap<number, PurseCommand> = new Map<number, PurseCommand>([
  [PURSE_ISO_INS.verify, verify],
  [PURSE_ISO_INS.changeReferenceData, changePin],
  [PURSE_ISO_INS.readRecord, readRecord],
]);
