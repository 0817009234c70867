/**
 * The card session: readers, engines and PINs in; engines started and ended, grants applied and
 * revoked, and the phase that people see, out. It runs at most one engine at a time, tries one PIN
 * at a time and each at most once, and never leaves a grant in force without the engine that earned
 * it. @core
 */
import { assertNever } from "../../os/assert_never.ts";
import type { PinOutcome, PinTarget, SessionPhase } from "../view.ts";
import type {
  CardReport,
  EngineRun,
  ReaderState,
  SessionCommand,
  SessionEvent,
  UnlockFailure,
} from "./events.ts";
import { Crashes } from "./crashes.ts";
import { dueIn } from "./due.ts";
import type { Grant } from "./grant.ts";
import { Insertions } from "./insertions.ts";
import * as limits from "./limits.ts";
import { isUnseenLast, PinLine, type WaitingPin } from "./pin_line.ts";
import { begun, counted, goesOn, touched, unlockBounds, waiting } from "./pin_stages.ts";
import { type AfterEnd, type Asked, boundOf, expiryOf, phaseOf, type Stage } from "./stage.ts";
import { verdictOn } from "./unlock_failed.ts";

export class SessionCore {
  readonly #insertions = new Insertions();
  #stage: Stage = { at: "idle" };
  /** Those behind the PIN that is tried; empty unless one is. */
  readonly #line = new PinLine();
  #run = 0;
  #target: PinTarget | undefined;
  #shown: SessionPhase = { phase: "no-reader" };
  readonly #crashes = new Crashes();
  #stopped = false;
  #date = 0;
  #out: SessionCommand[] = [];

  /** The phase as last announced. */
  get phase(): SessionPhase {
    return this.#shown;
  }

  /** Where a PIN may be sealed to now. */
  get pinTarget(): PinTarget | undefined {
    if (this.#stage.at !== "asked" || this.#target === undefined) return undefined;
    const { passkey } = this.#stage.report;
    return passkey === undefined ? this.#target : { ...this.#target, passkey };
  }

  /** Whether a PIN of this terminal waits for the card, or for another PIN. */
  hasWaitingPin(from: string): boolean {
    const stage = this.#stage;
    return this.#line.has(from) || stage.at === "suspended" && stage.pin.from === from;
  }

  /** When the next `tick` is needed, in the milliseconds of `now`. */
  get deadline(): number | undefined {
    return boundOf(this.#stage);
  }

  /** When the profile expires, and a `tick` is needed, in Unix milliseconds. */
  get expiry(): number | undefined {
    return expiryOf(this.#stage);
  }

  /**
   * Takes one event; returns what must be done, in order. `now` is in milliseconds of a clock that
   * never jumps: bounds are held by it. `date` is in Unix milliseconds, as calendars have it.
   */
  handle(event: SessionEvent, now: number, { date = now } = {}): SessionCommand[] {
    this.#out = [];
    this.#date = date;
    if ("run" in event && event.run !== this.#run) return [];
    switch (event.type) {
      case "readers":
        this.#onReaders(event.readers, now);
        break;
      case "engine-hello":
        this.#target = { engine: event.engine, publicKey: event.publicKey };
        break;
      case "engine-card":
        this.#onReport(event.report, now);
        break;
      case "engine-unlock-failed":
        this.#onUnlockFailed(event.why, now);
        break;
      case "engine-pin-waits":
        this.#onPinWaits(event, now);
        break;
      case "engine-pin-begins":
        this.#stage = begun(this.#stage, now);
        break;
      case "engine-unlock-goes-on":
        this.#stage = goesOn(this.#stage, now);
        break;
      case "engine-tries":
        this.#onTries(event.triesLeft, now);
        break;
      case "engine-touch":
        this.#stage = touched(this.#stage, event.wanted, now);
        break;
      case "engine-grant":
        this.#onGrant(event.grant, now);
        break;
      case "engine-card-gone":
        this.#onCardGone(now);
        break;
      case "engine-slept":
        this.#askAnew("machine-slept", { sleptMs: event.sleptMs }, now);
        break;
      case "engine-ended":
        this.#onEnded(event.reason, now);
        break;
      case "grant-applied":
        this.#onApplied();
        break;
      case "grant-failed":
        this.#onGrantFailed(event.reason, now);
        break;
      case "pin":
        this.#onPin(event, now);
        break;
      case "pin-given-up":
        this.#onGivenUp(event.from);
        break;
      case "revoked":
        this.#onRevoked(event.reason, now);
        break;
      case "lock":
        this.#askAnew("session-locked", { by: event.by }, now);
        break;
      case "stop":
        this.#stopped = true;
        this.#journal("info", "gateway-stopping", {});
        if (this.#engineRuns()) this.#end({ next: "again" }, now);
        break;
      case "tick":
        this.#onTick(now);
        break;
      default:
        assertNever(event);
    }
    this.#announce();
    return this.#out;
  }

  #onReaders(readers: readonly ReaderState[], now: number): void {
    const hadToken = this.#insertions.current !== undefined;
    const { added, gone, removed } = this.#insertions.report(readers);
    for (const reader of added) this.#journal("info", "reader-added", { reader });
    for (const reader of gone) this.#journal("warning", "reader-gone", { reader });
    if (!hadToken) return this.#look(now);
    if (removed === undefined) return;
    this.#journal("info", "card-removed", { reader: removed.reader });
    if (this.#engineRuns()) return this.#end({ next: "again" }, now);
    if (this.#stage.at === "ending") {
      this.#stage = { ...this.#stage, then: { next: "again" } };
      return;
    }
    this.#stage = { at: "idle" };
    this.#look(now);
  }

  /** With no engine running: starts one for a card that waits. */
  #look(now: number): void {
    if (this.#stage.at !== "idle" || this.#stopped) return;
    const taken = this.#insertions.take();
    if (taken === undefined) return;
    const { insertion: { reader }, isNew } = taken;
    if (isNew) {
      this.#crashes.clear();
      this.#journal("info", "card-inserted", { reader });
    }
    this.#run += 1;
    this.#target = undefined;
    this.#stage = { at: "starting", by: now + limits.CARD_REPORT_MS };
    this.#out.push({ type: "start-engine", run: this.#current(), reader });
  }

  #onReport(report: CardReport, now: number): void {
    if (this.#stage.at !== "starting") return;
    switch (report.card) {
      case "pin-asked":
        this.#stage = { at: "asked", report, wrong: false };
        return;
      case "expired":
        this.#journal("warning", "card-expired", { holder: report.holder });
        return this.#settle(
          { phase: "expired", holder: report.holder, expiredAt: report.expiredAt },
          now,
        );
      case "blocked":
        this.#journal("warning", "card-blocked", { holder: report.holder });
        return this.#settle({ phase: "blocked", holder: report.holder }, now);
      case "refused":
        this.#journal("warning", "profile-refused", { fault: report.fault });
        return this.#settle({ phase: "refused", fault: report.fault }, now);
      default:
        assertNever(report);
    }
  }

  #onPin(event: Extract<SessionEvent, { type: "pin" }>, now: number): void {
    const stage = this.#stage;
    const { ticket, from, sealed } = event;
    const isRunning = stage.at === "unlocking" || stage.at === "suspended" ||
      stage.at === "applying";
    if (!isRunning && stage.at !== "asked") return this.#answer(ticket, { outcome: "not-asked" });
    if (sealed.engine !== this.#target?.engine) return this.#answer(ticket, { outcome: "stale" });
    // A passkey costs the card no try, and none is the last.
    const isFree = stage.at === "applying" || sealed.way === "passkey";
    const triesSeen = isFree ? 0 : stage.report.triesLeft;
    const pin = { ticket, from, sealed, triesSeen };
    if (stage.at === "asked") return this.#try(pin, stage.report, now);
    if (stage.pin.from === from || !this.#line.add(pin)) this.#answer(ticket, { outcome: "busy" });
  }

  #try({ ticket, from, sealed }: WaitingPin, report: Asked, now: number): void {
    this.#stage = { at: "unlocking", report, pin: { ticket, from }, ...unlockBounds(now) };
    const entered = sealed.way === "passkey" ? "passkey-used" : "pin-entered";
    this.#journal("info", entered, { holder: report.holder, terminal: from });
    this.#out.push({ type: "relay-pin", run: this.#current(), sealed });
  }

  /** The card waits for a PIN again; the next in line is tried, unless that might block the card. */
  #askAgain(report: Asked, { wrong, now }: { wrong: boolean; now: number }): void {
    this.#stage = { at: "asked", report, wrong };
    const { triesLeft } = report;
    for (let next = this.#line.shift(); next !== undefined; next = this.#line.shift()) {
      if (!isUnseenLast(next, triesLeft)) return this.#try(next, report, now);
      this.#answer(next.ticket, { outcome: "not-tried", triesLeft });
    }
  }

  #onPinWaits(event: { label: string; leftMs: number }, now: number): void {
    const stage = waiting(this.#stage, event, { now, date: this.#date });
    if (stage.at !== "suspended" || stage === this.#stage) return;
    this.#stage = stage;
    const { holder } = stage.report;
    this.#journal("info", "pin-waits", { holder, terminal: event.label });
  }

  #onTries(triesLeft: number, now: number): void {
    const stage = counted(this.#stage, triesLeft);
    if (stage === this.#stage) return;
    if (triesLeft > 0) this.#stage = stage;
    else if (stage.at === "asked" || stage.at === "suspended") {
      this.#block(stage.report.holder, now);
    }
  }

  #onGivenUp(from: string): void {
    const stage = this.#stage;
    const waiting = this.#line.remove(from);
    if (waiting !== undefined) return this.#answer(waiting.ticket, { outcome: "given-up" });
    if (stage.at !== "suspended" || stage.pin.from !== from) return;
    this.#out.push({ type: "drop-pin", run: this.#current() });
  }

  #onUnlockFailed(why: UnlockFailure, now: number): void {
    const stage = this.#stage;
    if (stage.at !== "unlocking" && stage.at !== "suspended") return;
    const { report, pin: { ticket } } = stage;
    const { holder } = report;
    const verdict = verdictOn(why, report);
    switch (verdict.next) {
      case "ask": {
        const { warning, outcome, wrong } = verdict;
        if (warning !== undefined) {
          this.#journal("warning", warning.event, { holder, triesLeft: warning.triesLeft });
        }
        this.#answer(ticket, outcome);
        return this.#askAgain(verdict.report, { wrong, now });
      }
      case "block":
        return this.#block(holder, now);
      case "refuse":
        this.#journal("warning", "profile-refused", { fault: verdict.fault });
        this.#withdraw({ outcome: "refused", fault: verdict.fault });
        return this.#settle({ phase: "refused", fault: verdict.fault }, now);
      case "fail":
        return this.#fail(verdict.reason, now);
      default:
        assertNever(verdict);
    }
  }

  #block(holder: string, now: number): void {
    this.#journal("warning", "card-blocked", { holder });
    this.#withdraw({ outcome: "blocked" });
    this.#settle({ phase: "blocked", holder }, now);
  }

  #onGrant(grant: Grant, now: number): void {
    const stage = this.#stage;
    if (stage.at !== "unlocking") return;
    this.#stage = { at: "applying", grant, pin: stage.pin, by: now + limits.GRANT_MS };
    this.#out.push({ type: "apply-grant", run: this.#current(), grant });
  }

  #onApplied(): void {
    const stage = this.#stage;
    if (stage.at !== "applying") return;
    this.#crashes.clear();
    this.#stage = { at: "up", grant: stage.grant, since: this.#date };
    this.#journal("info", "session-up", {
      holder: stage.grant.holder,
      generation: stage.grant.generation,
      identity: stage.grant.identity,
    });
    this.#answer(stage.pin.ticket, { outcome: "up" });
    // What they wanted is there: no try is spent on it.
    this.#answerLine({ outcome: "up" });
  }

  #onGrantFailed(reason: string, now: number): void {
    if (this.#stage.at === "applying") this.#fail(reason, now);
  }

  #onCardGone(now: number): void {
    if (!this.#engineRuns()) return;
    const phase: SessionPhase = { phase: "no-card" };
    // The reader's own report may lag behind the engine's; wait for it before a new engine.
    this.#end({ next: "settle", phase, retryAt: now + limits.REMOVAL_LAG_MS }, now);
  }

  #onEnded(reason: string, now: number): void {
    const stage = this.#stage;
    if (stage.at === "ending") {
      this.#journal("info", "engine-ended", { reason });
      return this.#afterEnd(stage.then, now);
    }
    if (!this.#engineRuns()) return;
    this.#journal("error", "engine-lost", { reason });
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

  /** Ends what runs, and starts it again: its holder is asked anew. */
  #askAnew(why: string, detail: Record<string, string | number>, now: number): void {
    if (!this.#engineRuns()) return;
    this.#journal("info", why, detail);
    this.#end({ next: "again" }, now);
  }

  #onRevoked(reason: string, now: number): void {
    if (!this.#engineRuns()) return;
    this.#journal("warning", "profile-revoked", { reason });
    this.#settle({ phase: "refused", fault: "revoked" }, now);
  }

  #onTick(now: number): void {
    const stage = this.#stage;
    const due = dueIn(stage, { now, date: this.#date });
    switch (due.is) {
      case "nothing":
        return;
      case "failed":
        return this.#fail(due.reason, now);
      case "expired":
        this.#journal("warning", "card-expired", { holder: due.holder });
        return this.#settle(
          { phase: "expired", holder: due.holder, expiredAt: due.expiredAt },
          now,
        );
      case "kill":
        if (stage.at === "ending") this.#stage = { ...stage, killed: true };
        this.#out.push({ type: "kill-engine", run: this.#current() });
        return;
      case "again":
        this.#stage = { at: "idle" };
        return this.#look(now);
      default:
        assertNever(due);
    }
  }

  /** Gives up on this engine; another one is tried after a pause while the card stays. */
  #fail(reason: string, now: number): void {
    this.#journal("error", "session-failed", { reason });
    this.#withdraw({ outcome: "failed", reason });
    const phase: SessionPhase = { phase: "failed", reason };
    this.#end({ next: "settle", phase, retryAt: now + limits.CRASH_PAUSE_MS }, now);
  }

  /** Ends the engine and shows this phase until the card goes. */
  #settle(phase: SessionPhase, now: number): void {
    this.#end({ next: "settle", phase }, now);
  }

  #end(then: AfterEnd, now: number): void {
    this.#withdraw({ outcome: "card-gone" });
    this.#target = undefined;
    this.#stage = { at: "ending", by: now + limits.ENGINE_END_MS, then, killed: false };
    this.#out.push({ type: "end-engine", run: this.#current() });
  }

  /** Takes back what the engine's stage had promised: the grant, and answers to PINs. */
  #withdraw(outcome: PinOutcome): void {
    const stage = this.#stage;
    if (stage.at === "up") {
      this.#journal("info", "session-down", { holder: stage.grant.holder });
    }
    if (stage.at === "up" || stage.at === "applying") this.#out.push({ type: "revoke-grant" });
    const isTried = stage.at === "unlocking" || stage.at === "suspended" || stage.at === "applying";
    if (isTried) this.#answer(stage.pin.ticket, outcome);
    this.#answerLine(outcome);
    // What was withdrawn is not withdrawn again by the end that follows.
    if (isTried || stage.at === "up") this.#stage = { at: "idle" };
  }

  #answer(ticket: number, outcome: PinOutcome): void {
    this.#out.push({ type: "answer-pin", ticket, outcome });
  }

  #answerLine(outcome: PinOutcome): void {
    for (let next = this.#line.shift(); next !== undefined; next = this.#line.shift()) {
      this.#answer(next.ticket, outcome);
    }
  }

  #afterEnd(then: AfterEnd, now: number): void {
    this.#target = undefined;
    if (then.next === "again" || this.#insertions.current === undefined) {
      this.#stage = { at: "idle" };
      return this.#look(now);
    }
    this.#stage = then.retryAt === undefined
      ? { at: "settled", phase: then.phase }
      : { at: "settled", phase: then.phase, retryAt: then.retryAt };
  }

  #engineRuns(): boolean {
    const { at } = this.#stage;
    return at !== "idle" && at !== "settled" && at !== "ending";
  }

  #current(): EngineRun {
    return this.#run as EngineRun;
  }

  #journal(
    level: Extract<SessionCommand, { type: "journal" }>["level"],
    event: string,
    detail: Record<string, string | number>,
  ): void {
    this.#out.push({ type: "journal", level, event, detail });
  }

  #announce(): void {
    const { readers, current, token } = this.#insertions;
    const shown = phaseOf(this.#stage, { readers, inserted: current !== undefined });
    const phase = token === undefined ? shown : { ...shown, token };
    if (JSON.stringify(phase) === JSON.stringify(this.#shown)) return;
    this.#shown = phase;
    this.#out.push({ type: "phase", phase });
  }
}
