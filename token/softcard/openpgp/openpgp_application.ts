/** OpenPGP card commands in, answers out; every change goes through the card's memory. @core */
import type { CommandApdu } from "../../apdu/command.ts";
import type { ResponseApdu } from "../../apdu/response.ts";
import { SW } from "../../apdu/status.ts";
import { equalBytes } from "../../constant_time.ts";
import { type CardApplication, status, success } from "../application.ts";
import type { CardCrypto } from "../crypto.ts";
import type { CardMemory, CardScript } from "../memory.ts";
import { OPENPGP_INS, OPENPGP_RID, SW_TERMINATED } from "./constants.ts";
import type { OpenPgpCommand, OpenPgpContext } from "./context.ts";
import { factoryOpenPgp } from "./factory.ts";
import { generateKeyPair, importKey } from "./keys.ts";
import { applicationId, getData, getNextData, selectData } from "./objects.ts";
import { getChallenge, internalAuthenticate, performSecurityOperation } from "./operations.ts";
import { changeReferenceData, resetRetryCounter, verify } from "./passwords.ts";
import { putData } from "./put_data.ts";
import { OpenPgpSession } from "./session.ts";
import type { OpenPgpState } from "./state.ts";

/** The OpenPGP application, version 3.4 of its specification. */
export class OpenPgpApplication implements CardApplication {
  readonly #memory: CardMemory;
  readonly #crypto: CardCrypto;
  readonly #session = new OpenPgpSession();

  constructor(memory: CardMemory, crypto: CardCrypto) {
    this.#memory = memory;
    this.#crypto = crypto;
  }

  answersTo(aid: Uint8Array): boolean {
    const whole = applicationId(this.#memory.state.serial);
    return [OPENPGP_RID, whole.subarray(0, 8), whole].some((known) => equalBytes(known, aid));
  }

  select(): ResponseApdu {
    this.#session.clear();
    const isTerminated = this.#memory.state.openPgp?.isTerminated ?? true;
    return isTerminated ? status(SW_TERMINATED) : success(new Uint8Array(0));
  }

  *handle(apdu: CommandApdu): CardScript<ResponseApdu> {
    const { openPgp: state } = this.#memory.state;
    // A card is completed before it gets power: it always has the application.
    if (state === undefined) return status(SW.CONDITIONS_NOT_SATISFIED);
    if (apdu.ins === OPENPGP_INS.terminateDf) return yield* this.#terminate(state, apdu);
    if (apdu.ins === OPENPGP_INS.activateFile) return yield* this.#activate(state, apdu);
    if (state.isTerminated) return status(SW.CONDITIONS_NOT_SATISFIED);
    const run = COMMANDS.get(apdu.ins);
    if (run === undefined) return status(SW.INS_NOT_SUPPORTED);
    const work = run(this.#context(state), apdu);
    return "sw" in work ? work : yield* work;
  }

  deselect(): void {
    this.#session.clear();
  }

  /** TERMINATE DF: section 7.2.18. By the administrator, or when PW1 and PW3 are both blocked. */
  *#terminate(state: OpenPgpState, apdu: CommandApdu): CardScript<ResponseApdu> {
    if (apdu.p1 !== 0 || apdu.p2 !== 0) return status(SW.INCORRECT_P1P2);
    const isLost = state.pw1.reference.triesLeft === 0 && state.pw3.reference.triesLeft === 0;
    if (!isLost && !this.#session.isVerified("administrator")) {
      return status(SW.SECURITY_STATUS_NOT_SATISFIED);
    }
    this.#session.clear();
    return yield* this.#replace({ ...this.#fresh(state), isTerminated: true });
  }

  /** ACTIVATE FILE: section 7.2.17. Of a terminated application it makes a new one. */
  *#activate(state: OpenPgpState, apdu: CommandApdu): CardScript<ResponseApdu> {
    if (apdu.p1 !== 0 || apdu.p2 !== 0) return status(SW.INCORRECT_P1P2);
    if (!state.isTerminated) return status(SW.OK);
    this.#session.clear();
    return yield* this.#replace(this.#fresh(state));
  }

  #fresh(state: OpenPgpState): OpenPgpState {
    return factoryOpenPgp({ crypto: this.#crypto, cost: state.pw1.reference.cost });
  }

  *#replace(openPgp: OpenPgpState): CardScript<ResponseApdu> {
    const saved = yield* this.#memory.save({ ...this.#memory.state, openPgp });
    return status(saved ? SW.OK : SW.MEMORY_FAILURE);
  }

  #context(state: OpenPgpState): OpenPgpContext {
    const memory = this.#memory;
    return {
      ...{ memory, crypto: this.#crypto, session: this.#session, state },
      *save(change) {
        const now = memory.state.openPgp ?? state;
        return yield* memory.save({ ...memory.state, openPgp: { ...now, ...change } });
      },
    };
  }
}

const COMMANDS: ReadonlyMap<number, OpenPgpCommand> = new Map<number, OpenPgpCommand>([
  [OPENPGP_INS.verify, verify],
  [OPENPGP_INS.changeReferenceData, changeReferenceData],
  [OPENPGP_INS.resetRetryCounter, resetRetryCounter],
  [OPENPGP_INS.performSecurityOperation, performSecurityOperation],
  [OPENPGP_INS.generateAsymmetric, generateKeyPair],
  [OPENPGP_INS.getChallenge, getChallenge],
  [OPENPGP_INS.internalAuthenticate, internalAuthenticate],
  [OPENPGP_INS.selectData, selectData],
  [OPENPGP_INS.getData, getData],
  [OPENPGP_INS.getNextData, getNextData],
  [OPENPGP_INS.putData, putData],
  [OPENPGP_INS.putDataOdd, importKey],
]);
