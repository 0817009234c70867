/**
 * One engine after another: it is started for a token that waits and ended when the token goes or
 * nothing is to be had from it; at most one runs, and what its stage had promised is taken back
 * before it ends. @core
 */
import { assertNever } from "../../os/assert_never.ts";
import type { PinOutcome, SessionPhase } from "../view.ts";
import { Crashes } from "./crashes.ts";
import { dueIn } from "./due.ts";
import type { CardReport, EngineRun, ReaderState } from "./events.ts";
import { Insertions } from "./insertions.ts";
import * as limits from "./limits.ts";
import type { AfterEnd } from "./stage.ts";
import type { Standing } from "./standing.ts";

export class EngineTurns {
  readonly insertions = new Insertions();
  readonly #standing: Standing;
  readonly #crashes = new Crashes();
  #stopped = false;

  constructor(standing: Standing) {
    this.#standing = standing;
  }

  onReaders(readers: readonly ReaderState[], now: number): void {
    const standing = this.#standing;
    const hadToken = this.insertions.current !== undefined;
    const { added, gone, removed } = this.insertions.report(readers);
    for (const reader of added) standing.journal("info", "reader-added", { reader });
    for (const reader of gone) standing.journal("warning", "reader-gone", { reader });
    if (!hadToken) return this.#look(now);
    if (removed === undefined) return;
    standing.journal("info", "card-removed", { reader: removed.reader });
    if (standing.engineRuns()) return this.#end({ next: "again" }, now);
    if (standing.stage.at === "ending") {
      standing.stage = { ...standing.stage, then: { next: "again" } };
      return;
    }
    standing.stage = { at: "idle" };
    this.#look(now);
  }

  onReport(report: CardReport, now: number): void {
    const standing = this.#standing;
    if (standing.stage.at !== "starting") return;
    switch (report.card) {
      case "pin-asked":
        standing.stage = { at: "asked", report, wrong: false };
        return;
      case "expired":
        return this.#expire(report, now);
      case "blocked":
        standing.journal("warning", "card-blocked", { holder: report.holder });
        return this.settle({ phase: "blocked", holder: report.holder }, now);
      case "refused":
        standing.journal("warning", "profile-refused", { fault: report.fault });
        return this.settle({ phase: "refused", fault: report.fault }, now);
      default:
        assertNever(report);
    }
  }

  onCardGone(now: number): void {
    if (!this.#standing.engineRuns()) return;
    const phase: SessionPhase = { phase: "no-card" };
    // The reader's own report may lag behind the engine's; wait for it before a new engine.
    this.#end({ next: "settle", phase, retryAt: now + limits.REMOVAL_LAG_MS }, now);
  }

  onEnded(reason: string, now: number): void {
    const standing = this.#standing;
    const { stage } = standing;
    if (stage.at === "ending") {
      standing.journal("info", "engine-ended", { reason });
      return this.#afterEnd(stage.then, now);
    }
    if (!standing.engineRuns()) return;
    standing.journal("error", "engine-lost", { reason });
    this.#withdraw({ outcome: "failed", reason });
    this.#afterEnd(
      this.#crashes.add(now)
        ? {
          next: "settle",
          phase: { phase: "failed", reason },
          retryAt: now + limits.CRASH_PAUSE_MS,
        }
        : { next: "again" },
      now,
    );
  }

  onRevoked(reason: string, now: number): void {
    if (!this.#standing.engineRuns()) return;
    this.#standing.journal("warning", "profile-revoked", { reason });
    this.settle({ phase: "refused", fault: "revoked" }, now);
  }

  onStop(now: number): void {
    this.#stopped = true;
    this.#standing.journal("info", "gateway-stopping", {});
    if (this.#standing.engineRuns()) this.#end({ next: "again" }, now);
  }

  onTick(now: number): void {
    const standing = this.#standing;
    const { stage, date } = standing;
    const due = dueIn(stage, { now, date });
    switch (due.is) {
      case "nothing":
        return;
      case "failed":
        return this.fail(due.reason, now);
      case "expired":
        return this.#expire(due, now);
      case "kill":
        if (stage.at === "ending") standing.stage = { ...stage, killed: true };
        standing.command({ type: "kill-engine", run: standing.run });
        return;
      case "again":
        standing.stage = { at: "idle" };
        return this.#look(now);
      default:
        assertNever(due);
    }
  }

  /** A session came up: what crashed before no longer counts. */
  forgive(): void {
    this.#crashes.clear();
  }

  /** Ends what runs, and starts it again: its holder is asked anew. */
  askAnew(why: string, detail: Record<string, string | number>, now: number): void {
    if (!this.#standing.engineRuns()) return;
    this.#standing.journal("info", why, detail);
    this.#end({ next: "again" }, now);
  }

  /** Gives up on this engine; another one is tried after a pause while the card stays. */
  fail(reason: string, now: number): void {
    this.#standing.journal("error", "session-failed", { reason });
    this.#withdraw({ outcome: "failed", reason });
    const phase: SessionPhase = { phase: "failed", reason };
    this.#end({ next: "settle", phase, retryAt: now + limits.CRASH_PAUSE_MS }, now);
  }

  /** Ends the engine and shows this phase until the card goes; a PIN under way is answered so. */
  settle(phase: SessionPhase, now: number, outcome?: PinOutcome): void {
    if (outcome !== undefined) this.#withdraw(outcome);
    this.#end({ next: "settle", phase }, now);
  }

  /** With no engine running: starts one for a card that waits. */
  #look(now: number): void {
    const standing = this.#standing;
    if (standing.stage.at !== "idle" || this.#stopped) return;
    const taken = this.insertions.take();
    if (taken === undefined) return;
    const { insertion: { reader }, isNew } = taken;
    if (isNew) {
      this.#crashes.clear();
      standing.journal("info", "card-inserted", { reader });
    }
    standing.run = standing.run + 1 as EngineRun;
    standing.target = undefined;
    standing.stage = { at: "starting", by: now + limits.CARD_REPORT_MS };
    standing.command({ type: "start-engine", run: standing.run, reader });
  }

  #expire({ holder, expiredAt }: { holder: string; expiredAt: number }, now: number): void {
    this.#standing.journal("warning", "card-expired", { holder });
    this.settle({ phase: "expired", holder, expiredAt }, now);
  }

  #end(then: AfterEnd, now: number): void {
    const standing = this.#standing;
    this.#withdraw({ outcome: "card-gone" });
    standing.target = undefined;
    standing.stage = { at: "ending", by: now + limits.ENGINE_END_MS, then, killed: false };
    standing.command({ type: "end-engine", run: standing.run });
  }

  /** Takes back what the engine's stage had promised: the grant, and answers to PINs. */
  #withdraw(outcome: PinOutcome): void {
    const standing = this.#standing;
    const { stage } = standing;
    if (stage.at === "up") {
      standing.journal("info", "session-down", { holder: stage.grant.holder });
    }
    if (stage.at === "up" || stage.at === "applying") standing.command({ type: "revoke-grant" });
    const isTried = stage.at === "unlocking" || stage.at === "suspended" || stage.at === "applying";
    if (isTried) standing.answer(stage.pin.ticket, outcome);
    standing.answerLine(outcome);
    // What was withdrawn is not withdrawn again by the end that follows.
    if (isTried || stage.at === "up") standing.stage = { at: "idle" };
  }

  #afterEnd(then: AfterEnd, now: number): void {
    const standing = this.#standing;
    standing.target = undefined;
    if (then.next === "again" || this.insertions.current === undefined) {
      standing.stage = { at: "idle" };
      return this.#look(now);
    }
    standing.stage = then.retryAt === undefined
      ? { at: "settled", phase: then.phase }
      : { at: "settled", phase: then.phase, retryAt: then.retryAt };
  }
}
