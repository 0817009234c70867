/**
 * PINs on their way to the card: one is tried at a time and each at most once, from being entered to a
 * session that is up or an answer that says why not. @core
 */
import { assertNever } from "../../os/assert_never.ts";
import type { EngineTurns } from "./engine_turns.ts";
import type { SessionEvent, UnlockFailure } from "./events.ts";
import type { Grant } from "./grant.ts";
import * as limits from "./limits.ts";
import { isUnseenLast, type WaitingPin } from "./pin_line.ts";
import { counted, unlockBounds, waiting } from "./pin_stages.ts";
import type { Asked } from "./stage.ts";
import type { Standing } from "./standing.ts";
import { verdictOn } from "./unlock_failed.ts";

export class Pins {
  readonly #standing: Standing;
  readonly #turns: EngineTurns;

  constructor(standing: Standing, turns: EngineTurns) {
    this.#standing = standing;
    this.#turns = turns;
  }

  /** Whether one of this terminal waits for the card, or for another PIN. */
  hasWaiting(from: string): boolean {
    const { stage, line } = this.#standing;
    return line.has(from) || stage.at === "suspended" && stage.pin.from === from;
  }

  onEntered(event: Extract<SessionEvent, { type: "pin" }>, now: number): void {
    const standing = this.#standing;
    const { stage } = standing;
    const { ticket, from, sealed } = event;
    const isRunning = stage.at === "unlocking" || stage.at === "suspended" ||
      stage.at === "applying";
    if (!isRunning && stage.at !== "asked") {
      return standing.answer(ticket, { outcome: "not-asked" });
    }
    if (sealed.engine !== standing.target?.engine) {
      return standing.answer(ticket, { outcome: "stale" });
    }
    // A passkey costs the card no try, and none is the last.
    const isFree = stage.at === "applying" || sealed.way === "passkey";
    const triesSeen = isFree ? 0 : stage.report.triesLeft;
    const pin = { ticket, from, sealed, triesSeen };
    if (stage.at === "asked") return this.#try(pin, stage.report, now);
    if (stage.pin.from === from || !standing.line.add(pin)) {
      standing.answer(ticket, { outcome: "busy" });
    }
  }

  onWaits(event: { label: string; leftMs: number }, now: number): void {
    const standing = this.#standing;
    const stage = waiting(standing.stage, event, { now, date: standing.date });
    if (stage.at !== "suspended" || stage === standing.stage) return;
    standing.stage = stage;
    const { holder } = stage.report;
    standing.journal("info", "pin-waits", { holder, terminal: event.label });
  }

  onTries(triesLeft: number, now: number): void {
    const stage = counted(this.#standing.stage, triesLeft);
    if (stage === this.#standing.stage) return;
    if (triesLeft > 0) this.#standing.stage = stage;
    else if (stage.at === "asked" || stage.at === "suspended") {
      this.#block(stage.report.holder, now);
    }
  }

  onGivenUp(from: string): void {
    const standing = this.#standing;
    const { stage } = standing;
    const waiting = standing.line.remove(from);
    if (waiting !== undefined) return standing.answer(waiting.ticket, { outcome: "given-up" });
    if (stage.at !== "suspended" || stage.pin.from !== from) return;
    standing.command({ type: "drop-pin", run: standing.run });
  }

  onFailed(why: UnlockFailure, now: number): void {
    const standing = this.#standing;
    const { stage } = standing;
    if (stage.at !== "unlocking" && stage.at !== "suspended") return;
    const { report, pin: { ticket } } = stage;
    const { holder } = report;
    const verdict = verdictOn(why, report);
    switch (verdict.next) {
      case "ask": {
        const { warning, outcome, wrong } = verdict;
        if (warning !== undefined) {
          standing.journal("warning", warning.event, { holder, triesLeft: warning.triesLeft });
        }
        standing.answer(ticket, outcome);
        return this.#askAgain(verdict.report, { wrong, now });
      }
      case "block":
        return this.#block(holder, now);
      case "refuse": {
        const { fault } = verdict;
        standing.journal("warning", "profile-refused", { fault });
        return this.#turns.settle({ phase: "refused", fault }, now, { outcome: "refused", fault });
      }
      case "fail":
        return this.#turns.fail(verdict.reason, now);
      default:
        assertNever(verdict);
    }
  }

  onGrant(grant: Grant, now: number): void {
    const standing = this.#standing;
    const { stage } = standing;
    if (stage.at !== "unlocking") return;
    standing.stage = { at: "applying", grant, pin: stage.pin, by: now + limits.GRANT_MS };
    standing.command({ type: "apply-grant", run: standing.run, grant });
  }

  onApplied(): void {
    const standing = this.#standing;
    const { stage } = standing;
    if (stage.at !== "applying") return;
    this.#turns.forgive();
    standing.stage = { at: "up", grant: stage.grant, since: standing.date };
    standing.journal("info", "session-up", {
      holder: stage.grant.holder,
      generation: stage.grant.generation,
      identity: stage.grant.identity,
    });
    standing.answer(stage.pin.ticket, { outcome: "up" });
    // What they wanted is there: no try is spent on it.
    standing.answerLine({ outcome: "up" });
  }

  #try({ ticket, from, sealed }: WaitingPin, report: Asked, now: number): void {
    const standing = this.#standing;
    standing.stage = { at: "unlocking", report, pin: { ticket, from }, ...unlockBounds(now) };
    const entered = sealed.way === "passkey" ? "passkey-used" : "pin-entered";
    standing.journal("info", entered, { holder: report.holder, terminal: from });
    standing.command({ type: "relay-pin", run: standing.run, sealed });
  }

  /** The card waits for a PIN again; the next in line is tried, unless that might block the card. */
  #askAgain(report: Asked, { wrong, now }: { wrong: boolean; now: number }): void {
    const { line } = this.#standing;
    this.#standing.stage = { at: "asked", report, wrong };
    const { triesLeft } = report;
    for (let next = line.shift(); next !== undefined; next = line.shift()) {
      if (!isUnseenLast(next, triesLeft)) return this.#try(next, report, now);
      this.#standing.answer(next.ticket, { outcome: "not-tried", triesLeft });
    }
  }

  #block(holder: string, now: number): void {
    this.#standing.journal("warning", "card-blocked", { holder });
    this.#turns.settle({ phase: "blocked", holder }, now, { outcome: "blocked" });
  }
}
