/**
 * The card session: readers, engines and PINs in; engines started and ended, grants applied and
 * revoked, and the phase that people see, out. It runs at most one engine at a time, tries one PIN
 * at a time and each at most once, and never leaves a grant in force without the engine that earned
 * it. @core
 */
import { assertNever } from "../../os/assert_never.ts";
import type { PinTarget, SessionPhase } from "../view.ts";
import { EngineTurns } from "./engine_turns.ts";
import type { SessionCommand, SessionEvent } from "./events.ts";
import { begun, goesOn, touched } from "./pin_stages.ts";
import { Pins } from "./pins.ts";
import { boundOf, expiryOf, phaseOf } from "./stage.ts";
import { Standing } from "./standing.ts";

export class SessionCore {
  readonly #standing = new Standing();
  readonly #turns = new EngineTurns(this.#standing);
  readonly #pins = new Pins(this.#standing, this.#turns);
  #shown: SessionPhase = { phase: "no-reader" };

  /** The phase as last announced. */
  get phase(): SessionPhase {
    return this.#shown;
  }

  /** Where a PIN may be sealed to now. */
  get pinTarget(): PinTarget | undefined {
    const { stage, target } = this.#standing;
    if (stage.at !== "asked" || target === undefined) return undefined;
    const { passkey } = stage.report;
    return passkey === undefined ? target : { ...target, passkey };
  }

  /** Whether a PIN of this terminal waits for the card, or for another PIN. */
  hasWaitingPin(from: string): boolean {
    return this.#pins.hasWaiting(from);
  }

  /** When the next `tick` is needed, in the milliseconds of `now`. */
  get deadline(): number | undefined {
    return boundOf(this.#standing.stage);
  }

  /** When the profile expires, and a `tick` is needed, in Unix milliseconds. */
  get expiry(): number | undefined {
    return expiryOf(this.#standing.stage);
  }

  /**
   * Takes one event; returns what must be done, in order. `now` is in milliseconds of a clock that
   * never jumps: bounds are held by it. `date` is in Unix milliseconds, as calendars have it.
   */
  handle(event: SessionEvent, now: number, { date = now } = {}): SessionCommand[] {
    const standing = this.#standing;
    const turns = this.#turns;
    const pins = this.#pins;
    standing.begin(date);
    if ("run" in event && event.run !== standing.run) return [];
    switch (event.type) {
      case "readers":
        turns.onReaders(event.readers, now);
        break;
      case "engine-hello":
        standing.target = { engine: event.engine, publicKey: event.publicKey };
        break;
      case "engine-card":
        turns.onReport(event.report, now);
        break;
      case "engine-unlock-failed":
        pins.onFailed(event.why, now);
        break;
      case "engine-pin-waits":
        pins.onWaits(event, now);
        break;
      case "engine-pin-begins":
        standing.stage = begun(standing.stage, now);
        break;
      case "engine-unlock-goes-on":
        standing.stage = goesOn(standing.stage, now);
        break;
      case "engine-tries":
        pins.onTries(event.triesLeft, now);
        break;
      case "engine-touch":
        standing.stage = touched(standing.stage, event.wanted, now);
        break;
      case "engine-grant":
        pins.onGrant(event.grant, now);
        break;
      case "engine-card-gone":
        turns.onCardGone(now);
        break;
      case "engine-slept":
        turns.askAnew("machine-slept", { sleptMs: event.sleptMs }, now);
        break;
      case "engine-ended":
        turns.onEnded(event.reason, now);
        break;
      case "grant-applied":
        pins.onApplied();
        break;
      case "grant-failed":
        if (standing.stage.at === "applying") turns.fail(event.reason, now);
        break;
      case "pin":
        pins.onEntered(event, now);
        break;
      case "pin-given-up":
        pins.onGivenUp(event.from);
        break;
      case "revoked":
        turns.onRevoked(event.reason, now);
        break;
      case "lock":
        turns.askAnew("session-locked", { by: event.by }, now);
        break;
      case "stop":
        turns.onStop(now);
        break;
      case "tick":
        turns.onTick(now);
        break;
      default:
        assertNever(event);
    }
    this.#announce();
    return standing.commands;
  }

  #announce(): void {
    const { readers, current, token } = this.#turns.insertions;
    const shown = phaseOf(this.#standing.stage, { readers, inserted: current !== undefined });
    const phase = token === undefined ? shown : { ...shown, token };
    if (JSON.stringify(phase) === JSON.stringify(this.#shown)) return;
    this.#shown = phase;
    this.#standing.command({ type: "phase", phase });
  }
}
