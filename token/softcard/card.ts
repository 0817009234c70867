import { CLA_CHAINING, type CommandApdu, parseCommand } from "../apdu/command.ts";
import { encodeResponse, type ResponseApdu } from "../apdu/response.ts";
import { SW } from "../apdu/status.ts";
import { concat } from "../apdu/tlv.ts";
import { PIV_INS } from "../piv/constants.ts";
import { type CardApplication, status } from "./application.ts";
import type { CardCrypto } from "./crypto.ts";
import { completeCard } from "./factory.ts";
import { CardMemory, type CardScript } from "./memory.ts";
import { OpenPgpApplication } from "./openpgp/openpgp_application.ts";
import { PivApplication } from "./piv/piv_application.ts";
import type { CardState } from "./state.ts";
import { PurseApplication } from "./stored_value/purse_application.ts";

/** Longest command data, chained or extended: the largest object with its wrapping, and room. */
const LONGEST_COMMAND = 4096;

/**
 * The card's core: a command APDU goes in, states to save and then a response APDU come out; it
 * never throws on any bytes. It does no I/O and has no clock; randomness comes with the crypto.
 */
export class SoftCard {
  readonly #memory: CardMemory;
  readonly #applications: readonly CardApplication[];
  #selected: CardApplication | undefined;
  #chain: { cla: number; ins: number; p1: number; p2: number; data: Uint8Array } | undefined;
  /** What GET RESPONSE still has to fetch. */
  #rest: ResponseApdu | undefined;

  constructor(state: CardState, crypto: CardCrypto) {
    this.#memory = new CardMemory(completeCard(state, crypto));
    this.#applications = [
      new PivApplication(this.#memory, crypto),
      new OpenPgpApplication(this.#memory, crypto),
      new PurseApplication(this.#memory, crypto),
    ];
    this.powerUp();
  }

  /** The state that counts. */
  get state(): CardState {
    return this.#memory.state;
  }

  /** Power on, or a reset: everything volatile is gone, the first application is selected. */
  powerUp(): void {
    for (const application of this.#applications) application.deselect();
    this.#selected = this.#applications[0];
    this.#chain = undefined;
    this.#rest = undefined;
  }

  /**
   * Carries out one raw command. The caller runs the script: it saves every state that the script
   * yields, tells `next(true)` or `next(false)`, and sends the response that it returns. Leaving a
   * script unfinished is a power cut: the card object must then be thrown away.
   */
  *transmit(raw: Uint8Array): CardScript<Uint8Array> {
    const apdu = parseCommand(raw);
    if (typeof apdu === "string") return this.#abort(SW.WRONG_LENGTH);
    const cla = apdu.cla & ~CLA_CHAINING;
    if (cla !== 0 && cla !== this.#selected?.proprietaryClass) {
      return this.#abort(SW.CLA_NOT_SUPPORTED);
    }
    if (apdu.ins === PIV_INS.getResponse) return this.#getResponse(apdu);
    this.#rest = undefined;
    const whole = this.#assemble(apdu);
    if (typeof whole === "number") return encodeResponse(whole);
    const answer = whole.cla === 0 && whole.ins === PIV_INS.select
      ? this.#select(whole)
      : yield* this.#dispatch(whole);
    return this.#send(answer, apdu.ne);
  }

  #abort(sw: number): Uint8Array {
    this.#chain = undefined;
    this.#rest = undefined;
    return encodeResponse(sw);
  }

  /** Collects a chain. A command that doesn't continue the open chain ends it and stands alone. */
  #assemble(apdu: CommandApdu): CommandApdu | number {
    const open = this.#chain;
    this.#chain = undefined;
    const cla = apdu.cla & ~CLA_CHAINING;
    const continues = open !== undefined && open.cla === cla && open.ins === apdu.ins &&
      open.p1 === apdu.p1 && open.p2 === apdu.p2;
    const data = continues ? concat(open.data, apdu.data) : apdu.data;
    if (data.length > LONGEST_COMMAND) return SW.WRONG_LENGTH;
    if (cla === apdu.cla) return { ...apdu, data };
    this.#chain = { cla, ins: apdu.ins, p1: apdu.p1, p2: apdu.p2, data };
    return SW.OK;
  }

  #select(apdu: CommandApdu): ResponseApdu {
    // Only by name, first or only occurrence (ISO 7816-4 section 11.2.2).
    if (apdu.p1 !== 0x04 || (apdu.p2 & ~0x0c) !== 0) return status(SW.FUNCTION_NOT_SUPPORTED);
    const found = this.#applications.find((one) => one.answersTo(apdu.data));
    if (found === undefined) return status(SW.FILE_NOT_FOUND);
    if (found !== this.#selected) this.#selected?.deselect();
    this.#selected = found;
    return found.select();
  }

  *#dispatch(apdu: CommandApdu): CardScript<ResponseApdu> {
    if (this.#selected === undefined) return status(SW.CONDITIONS_NOT_SATISFIED);
    return yield* this.#selected.handle(apdu);
  }

  /** Tools that leave out Le get what fits into a short response, as from other cards. */
  #send(answer: ResponseApdu, ne: number): Uint8Array {
    const room = ne === 0 ? 256 : ne;
    if (answer.data.length <= room) return encodeResponse(answer.sw, answer.data);
    this.#rest = { data: answer.data.slice(room), sw: answer.sw };
    const waiting = Math.min(answer.data.length - room, 256) & 0xff;
    return encodeResponse(SW.MORE_DATA | waiting, answer.data.subarray(0, room));
  }

  #getResponse(apdu: CommandApdu): Uint8Array {
    const rest = this.#rest;
    this.#chain = undefined;
    this.#rest = undefined;
    if (rest === undefined) return encodeResponse(SW.CONDITIONS_NOT_SATISFIED);
    if (apdu.p1 !== 0 || apdu.p2 !== 0) return encodeResponse(SW.INCORRECT_P1P2);
    return this.#send(rest, apdu.ne);
  }
}
