/** What a failed unlocking means: what its terminal is told, what the journal hears, what comes next. @core */
import { assertNever } from "../../os/assert_never.ts";
import type { PinOutcome, ProfileFault } from "../view.ts";
import type { UnlockFailure } from "./events.ts";
import type { Asked } from "./stage.ts";

export type Verdict =
  | {
    readonly next: "ask";
    /** The card as it is now. */
    readonly report: Asked;
    readonly wrong: boolean;
    readonly outcome: PinOutcome;
    /** For the journal. */
    readonly warning?: { readonly event: string; readonly triesLeft: number };
  }
  | { readonly next: "block" }
  | { readonly next: "refuse"; readonly fault: ProfileFault }
  | { readonly next: "fail"; readonly reason: string };

/** @param report The card as it was when the PIN was tried. */
export function verdictOn(why: UnlockFailure, report: Asked): Verdict {
  const again = { next: "ask", report, wrong: false } as const;
  switch (why.failure) {
    case "wrong-pin":
    case "wrong-id": {
      const { failure, triesLeft } = why;
      const event = failure === "wrong-pin" ? "pin-wrong" : "user-id-wrong";
      const outcome = wrongEntry(report, triesLeft);
      const now = { ...report, triesLeft };
      return { ...again, report: now, wrong: true, outcome, warning: { event, triesLeft } };
    }
    case "wrong-passkey": {
      const { triesLeft } = why;
      const outcome = { outcome: "wrong-passkey", triesLeft } as const;
      return { ...again, outcome, warning: { event: "passkey-wrong", triesLeft } };
    }
    case "not-sealed-to-me":
      return { ...again, outcome: { outcome: "stale" } };
    case "given-up":
      return { ...again, outcome: { outcome: "given-up" } };
    case "last-try": {
      const { triesLeft } = why;
      const outcome = { outcome: "not-tried", triesLeft } as const;
      return { ...again, report: { ...report, triesLeft }, outcome };
    }
    case "blocked":
      return { next: "block" };
    case "refused":
      return { next: "refuse", fault: why.fault };
    case "failed":
      return { next: "fail", reason: why.reason };
    default:
      return assertNever(why);
  }
}

/**
 * A wrong user id and a wrong PIN have one answer, without the tries left: these sink with a wrong
 * PIN alone, and so would tell that the PIN was right.
 */
function wrongEntry({ asksUserId }: Asked, triesLeft: number): PinOutcome {
  return asksUserId ? { outcome: "wrong-id-or-pin" } : { outcome: "wrong-pin", triesLeft };
}
