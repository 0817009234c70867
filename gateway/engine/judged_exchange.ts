/**
 * A terminal's commands to the card, each of them judged first, and the wrong PINs that terminals
 * entered. Commands and answers pass through here and are kept nowhere.
 */
import { assertNever } from "../../os/assert_never.ts";
import { CardGarbledError } from "../../token/apdu/channel.ts";
import { parseResponse } from "../../token/apdu/response.ts";
import { SW, triesLeft } from "../../token/apdu/status.ts";
import type { CardSession } from "../../token/pcsc/types.ts";
import type { ApduPolicy, LeaseAudit } from "../../token/share/apdu_policy.ts";

/** Wrong PINs that terminals may enter in one session: its own PIN gives the tries back each time. */
const WRONG_PINS_OF_SESSION = 2;

/** What judging needs of a lease. */
export interface JudgedLease {
  readonly policy: ApduPolicy;
  readonly audit: LeaseAudit;
  wrongPins: number;
}

export class JudgedExchange {
  readonly #card: Pick<CardSession, "transmit">;
  #wrongPins = 0;

  constructor(card: Pick<CardSession, "transmit">) {
    this.#card = card;
  }

  /** The card's answer, or a refusal in its place. `sealed`: the command's PIN came sealed. */
  async run(
    lease: JudgedLease,
    raw: Uint8Array,
    { sealed }: { sealed: boolean },
  ): Promise<Uint8Array> {
    const verdict = sealed
      ? { verdict: "probe-first" as const, probe: Uint8Array.of(0, 0x20, 0, raw[3] ?? 0) }
      : lease.policy.judge(raw);
    switch (verdict.verdict) {
      case "refuse":
        return refuse(lease, raw, verdict.sw);
      case "probe-first": {
        if (this.#wrongPins >= WRONG_PINS_OF_SESSION) {
          return refuse(lease, raw, SW.CONDITIONS_NOT_SATISFIED);
        }
        const sw = swOf(await this.#transmit(verdict.probe));
        if (!lease.policy.mayTry(verdict.probe, sw)) {
          return refuse(lease, raw, SW.CONDITIONS_NOT_SATISFIED);
        }
        return await this.#forward(lease, raw);
      }
      case "forward":
        return await this.#forward(lease, raw);
      default:
        return assertNever(verdict);
    }
  }

  async #forward(lease: JudgedLease, raw: Uint8Array): Promise<Uint8Array> {
    lease.audit.ran(raw);
    const answer = await this.#transmit(raw);
    const sw = swOf(answer);
    lease.policy.answered(raw, sw);
    const isPin = raw.length > 5 && (raw[1] === 0x20 || raw[1] === 0x24);
    if (isPin && (triesLeft(sw) !== undefined || sw === SW.AUTH_METHOD_BLOCKED)) {
      lease.wrongPins++;
      this.#wrongPins++;
    }
    return answer;
  }

  /** What no card may answer is the terminal's own matter: it is told that something went wrong. */
  async #transmit(raw: Uint8Array): Promise<Uint8Array> {
    try {
      return await this.#card.transmit(raw);
    } catch (error) {
      if (!(error instanceof CardGarbledError)) throw error;
      return Uint8Array.of(SW.NO_PRECISE_DIAGNOSIS >> 8, SW.NO_PRECISE_DIAGNOSIS & 0xff);
    }
  }
}

function refuse(lease: JudgedLease, raw: Uint8Array, sw: number): Uint8Array {
  lease.audit.refused(raw);
  return Uint8Array.of(sw >> 8, sw & 0xff);
}

function swOf(answer: Uint8Array): number {
  return parseResponse(answer)?.sw ?? SW.NO_PRECISE_DIAGNOSIS;
}
