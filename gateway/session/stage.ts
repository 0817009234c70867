/** The stages of a card session: what each knows, how long it may last, what people see of it. @core */
import { assertNever } from "../../os/assert_never.ts";
import type { SessionPhase } from "../view.ts";
import type { CardReport, ReaderState } from "./events.ts";
import type { Grant } from "./grant.ts";

/** A PIN that waits for its answer. */
interface PinAttempt {
  readonly ticket: number;
  /** The address of its terminal. */
  readonly from: string;
}

/** Where a card session stands, with what only this stage knows. Bounds (`by`, `retryAt`) are steady milliseconds. */
export type Stage =
  | { readonly at: "idle" }
  | { readonly at: "starting"; readonly by: number }
  | { readonly at: "asked"; readonly report: Asked; readonly wrong: boolean }
  | {
    readonly at: "unlocking";
    readonly report: Asked;
    readonly pin: PinAttempt;
    readonly by: number;
    /** `by` goes no further, whatever the engine tells. */
    readonly longest: number;
    /** It takes longer than usual. */
    readonly slow?: true;
    /** The card waits for a touch. */
    readonly touch?: true;
  }
  /** As above, and a terminal has the card. `until` is in Unix milliseconds. */
  | {
    readonly at: "suspended";
    readonly report: Asked;
    readonly pin: PinAttempt;
    readonly busy: string;
    readonly until: number;
    readonly by: number;
  }
  | {
    readonly at: "applying";
    readonly grant: Grant;
    readonly pin: PinAttempt;
    readonly by: number;
  }
  | { readonly at: "up"; readonly grant: Grant; readonly since: number }
  /** The engine was told to end or ends by itself; what follows depends on the readers. */
  | {
    readonly at: "ending";
    readonly by: number;
    readonly then: AfterEnd;
    readonly killed: boolean;
  }
  /** No engine: this insertion has had its answer, or must wait before another engine. */
  | { readonly at: "settled"; readonly phase: SessionPhase; readonly retryAt?: number };

/** The card waits for its PIN. */
export type Asked = Extract<CardReport, { card: "pin-asked" }>;

/** What follows when the engine has ended. */
export type AfterEnd =
  | { readonly next: "again" }
  | { readonly next: "settle"; readonly phase: SessionPhase; readonly retryAt?: number };

/** When this stage has lasted too long, or is to be left, in steady milliseconds. */
export function boundOf(stage: Stage): number | undefined {
  switch (stage.at) {
    case "starting":
    case "unlocking":
    case "suspended":
    case "applying":
      return stage.by;
    case "ending":
      return stage.killed ? undefined : stage.by;
    case "settled":
      return stage.retryAt;
    case "asked":
    case "up":
    case "idle":
      return undefined;
    default:
      return assertNever(stage);
  }
}

/** When the profile of this stage expires, in Unix milliseconds. */
export function expiryOf(stage: Stage): number | undefined {
  if (stage.at === "asked" || stage.at === "suspended") return stage.report.expiresAt;
  return stage.at === "up" ? stage.grant.expiresAt : undefined;
}

/** What people are shown; without a card it depends on the readers. */
export function phaseOf(
  stage: Stage,
  { readers, inserted }: { readers: readonly ReaderState[]; inserted: boolean },
): SessionPhase {
  switch (stage.at) {
    case "idle":
      return withoutCard(readers);
    case "starting":
      return { phase: "reading" };
    case "asked": {
      const { holder, triesLeft } = stage.report;
      const { wrong } = stage;
      return { phase: "pin-asked", holder, triesLeft, wrong, ...askedFor(stage.report) };
    }
    case "suspended": {
      const { report, busy, until, pin: { from } } = stage;
      const { holder } = report;
      return { phase: "suspended", holder, busy, until, from, ...askedFor(report) };
    }
    case "unlocking":
      return {
        ...{ phase: "unlocking", holder: stage.report.holder },
        ...askedFor(stage.report),
        ...(stage.slow === undefined ? {} : { slow: stage.slow }),
        ...(stage.touch === undefined ? {} : { touch: stage.touch }),
      };
    case "applying":
      return { phase: "unlocking", holder: stage.grant.holder };
    case "up": {
      const { holder, expiresAt } = stage.grant;
      return { phase: "up", holder, since: stage.since, expiresAt };
    }
    case "ending":
      if (stage.then.next === "settle") return stage.then.phase;
      return inserted ? { phase: "reading" } : withoutCard(readers);
    case "settled":
      return stage.phase;
    default:
      return assertNever(stage);
  }
}

function askedFor({ asksUserId }: Asked): { asksUserId?: true } {
  return asksUserId ? { asksUserId } : {};
}

function withoutCard(readers: readonly ReaderState[]): SessionPhase {
  if (readers.length === 0) return { phase: "no-reader" };
  if (readers.some((one) => one.card === "mute")) {
    return { phase: "refused", fault: "unreadable-card" };
  }
  return { phase: "no-card" };
}
