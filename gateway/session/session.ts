/**
 * The card session: readers, engines and PINs in; engines started and ended, grants applied and
 * revoked, and the phase that people see, out. It runs at most one engine at a time, relays a PIN
 * at most once, and never leaves a grant in force without the engine that earned it. @core
 */
import { assertNever } from "../../os/assert_never.ts";
import type { PinTarget, SessionPhase } from "../view.ts";
import type {
  CardReport,
  EngineRun,
  ReaderState,
  SessionCommand,
  SessionEvent,
  UnlockFailure,
} from "./events.ts";
import type { Grant } from "./grant.ts";
import * as limits from "./limits.ts";
import { type AfterEnd, boundOf, expiryOf, phaseOf, type Stage } from "./stage.ts";

/** A card in a reader, told apart from the same card put in again. */
interface Insertion {
  readonly reader: string;
  readonly counter: number;
}

export class SessionCore {
  #readers: readonly ReaderState[] = [];
  #readersKnown = false;
  #insertion: Insertion | undefined;
  #stage: Stage = { at: "idle" };
  #run = 0;
  #target: PinTarget | undefined;
  #shown: SessionPhase = { phase: "no-reader" };
  #crashes: number[] = [];
  #stopped = false;
  #date = 0;
  #out: SessionCommand[] = [];

  /** The phase as last announced. */
  get phase(): SessionPhase {
    return this.#shown;
  }

  /** Where a PIN may be sealed to now. */
  get pinTarget(): PinTarget | undefined {
    return this.#stage.at === "asked" ? this.#target : undefined;
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
      case "engine-grant":
        this.#onGrant(event.grant, now);
        break;
      case "engine-card-gone":
        this.#onCardGone(now);
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
      case "revoked":
        this.#onRevoked(event.reason, now);
        break;
      case "lock":
        this.#onLock(event.by, now);
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
    const before = this.#readers;
    this.#readers = readers;
    this.#readersKnown = true;
    for (const { name } of readers.filter((one) => !before.some((old) => old.name === one.name))) {
      this.#journal("info", "reader-added", { reader: name });
    }
    for (const { name } of before.filter((old) => !readers.some((one) => one.name === old.name))) {
      this.#journal("warning", "reader-gone", { reader: name });
    }
    const insertion = this.#insertion;
    if (insertion === undefined) return this.#look(now);
    const reader = readers.find((one) => one.name === insertion.reader);
    if (reader?.card === "present" && reader.counter === insertion.counter) return;
    this.#insertion = undefined;
    this.#journal("info", "card-removed", { reader: insertion.reader });
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
    const reader = this.#insertion === undefined
      ? this.#readers.find((one) => one.card === "present")
      : this.#readers.find((one) => one.name === this.#insertion?.reader);
    if (reader === undefined) return;
    if (this.#insertion === undefined) {
      this.#insertion = { reader: reader.name, counter: reader.counter };
      this.#crashes = [];
      this.#journal("info", "card-inserted", { reader: reader.name });
    }
    this.#run += 1;
    this.#target = undefined;
    this.#stage = { at: "starting", by: now + limits.CARD_REPORT_MS };
    this.#out.push({ type: "start-engine", run: this.#current(), reader: reader.name });
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
    const { ticket } = event;
    if (stage.at === "unlocking" || stage.at === "applying") {
      this.#out.push({ type: "answer-pin", ticket, outcome: { outcome: "busy" } });
    } else if (stage.at !== "asked") {
      this.#out.push({ type: "answer-pin", ticket, outcome: { outcome: "not-asked" } });
    } else if (event.sealed.engine !== this.#target?.engine) {
      this.#out.push({ type: "answer-pin", ticket, outcome: { outcome: "stale" } });
    } else {
      const by = now + limits.UNLOCK_MS;
      this.#stage = { at: "unlocking", report: stage.report, pin: { ticket }, by };
      this.#journal("info", "pin-entered", { holder: stage.report.holder, terminal: event.from });
      this.#out.push({ type: "relay-pin", run: this.#current(), sealed: event.sealed });
    }
  }

  #onUnlockFailed(why: UnlockFailure, now: number): void {
    const stage = this.#stage;
    if (stage.at !== "unlocking") return;
    const { ticket } = stage.pin;
    const { holder } = stage.report;
    switch (why.failure) {
      case "wrong-pin":
        this.#journal("warning", "pin-wrong", { holder, triesLeft: why.triesLeft });
        this.#out.push({
          type: "answer-pin",
          ticket,
          outcome: { outcome: "wrong-pin", triesLeft: why.triesLeft },
        });
        this.#stage = {
          at: "asked",
          report: { ...stage.report, triesLeft: why.triesLeft },
          wrong: true,
        };
        return;
      case "not-sealed-to-me":
        this.#out.push({ type: "answer-pin", ticket, outcome: { outcome: "stale" } });
        this.#stage = { at: "asked", report: stage.report, wrong: false };
        return;
      case "blocked":
        this.#journal("warning", "card-blocked", { holder });
        this.#out.push({ type: "answer-pin", ticket, outcome: { outcome: "blocked" } });
        return this.#settle({ phase: "blocked", holder }, now);
      case "refused":
        this.#journal("warning", "profile-refused", { fault: why.fault });
        this.#out.push({
          type: "answer-pin",
          ticket,
          outcome: { outcome: "refused", fault: why.fault },
        });
        return this.#settle({ phase: "refused", fault: why.fault }, now);
      case "failed":
        return this.#fail(why.reason, now);
      default:
        assertNever(why);
    }
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
    this.#crashes = [];
    this.#stage = { at: "up", grant: stage.grant, since: this.#date };
    this.#journal("info", "session-up", {
      holder: stage.grant.holder,
      generation: stage.grant.generation,
      identity: stage.grant.identity,
    });
    this.#out.push({
      type: "answer-pin",
      ticket: stage.pin.ticket,
      outcome: { outcome: "up" },
    });
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
    this.#crashes = [...this.#crashes.filter((at) => at > now - limits.CRASH_WINDOW_MS), now];
    this.#withdraw({ outcome: "failed", reason });
    this.#afterEnd(
      this.#crashes.length < limits.CRASHES ? { next: "again" } : {
        next: "settle",
        phase: { phase: "failed", reason },
        retryAt: now + limits.CRASH_PAUSE_MS,
      },
      now,
    );
  }

  #onLock(by: string, now: number): void {
    if (!this.#engineRuns()) return;
    this.#journal("info", "session-locked", { by });
    this.#end({ next: "again" }, now);
  }

  #onRevoked(reason: string, now: number): void {
    if (!this.#engineRuns()) return;
    this.#journal("warning", "profile-revoked", { reason });
    this.#settle({ phase: "refused", fault: "revoked" }, now);
  }

  #onTick(now: number): void {
    const stage = this.#stage;
    const isDue = (at: number | undefined, clock: number) => at !== undefined && clock >= at;
    if (!isDue(this.deadline, now) && !isDue(this.expiry, this.#date)) return;
    switch (stage.at) {
      case "starting":
        return this.#fail("the card gave no answer in time", now);
      case "unlocking":
        return this.#fail("unlocking took too long", now);
      case "applying":
        return this.#fail("the network could not be set up in time", now);
      case "asked":
        return this.#expire(stage.report.holder, stage.report.expiresAt, now);
      case "up":
        return this.#expire(stage.grant.holder, stage.grant.expiresAt, now);
      case "ending":
        this.#stage = { ...stage, killed: true };
        this.#out.push({ type: "kill-engine", run: this.#current() });
        return;
      case "settled":
        this.#stage = { at: "idle" };
        return this.#look(now);
      case "idle":
        return;
      default:
        assertNever(stage);
    }
  }

  #expire(holder: string, expiredAt: number, now: number): void {
    this.#journal("warning", "card-expired", { holder });
    this.#settle({ phase: "expired", holder, expiredAt }, now);
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

  /** Takes back what the engine's stage had promised: the grant, and an answer to a waiting PIN. */
  #withdraw(outcome: { outcome: "card-gone" } | { outcome: "failed"; reason: string }): void {
    const stage = this.#stage;
    if (stage.at === "up") {
      this.#journal("info", "session-down", { holder: stage.grant.holder });
    }
    if (stage.at === "up" || stage.at === "applying") this.#out.push({ type: "revoke-grant" });
    const waiting = stage.at === "unlocking" || stage.at === "applying";
    const answered = waiting &&
      this.#out.some((one) => one.type === "answer-pin" && one.ticket === stage.pin.ticket);
    if (waiting && !answered) {
      this.#out.push({ type: "answer-pin", ticket: stage.pin.ticket, outcome });
    }
    // What was withdrawn is not withdrawn again by the end that follows.
    if (waiting || stage.at === "up") this.#stage = { at: "idle" };
  }

  #afterEnd(then: AfterEnd, now: number): void {
    this.#target = undefined;
    if (then.next === "again" || this.#insertion === undefined) {
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
    const phase = phaseOf(this.#stage, {
      readers: this.#readersKnown ? this.#readers : [],
      inserted: this.#insertion !== undefined,
    });
    if (JSON.stringify(phase) === JSON.stringify(this.#shown)) return;
    this.#shown = phase;
    this.#out.push({ type: "phase", phase });
  }
}
