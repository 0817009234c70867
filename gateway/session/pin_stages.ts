/**
 * What the engine tells of a PIN under way, as changes of the stage: it waits for the card, it is
 * tried, the card wants a touch, terminals spent tries. The same stage comes back where that means
 * nothing. @core
 */
import * as limits from "./limits.ts";
import type { Stage } from "./stage.ts";

/** The clocks of the core: steady milliseconds, and Unix milliseconds. */
export interface Moment {
  readonly now: number;
  readonly date: number;
}

/** A terminal has the card, for so long at most. */
export function waiting(
  stage: Stage,
  { label, leftMs }: { readonly label: string; readonly leftMs: number },
  { now, date }: Moment,
): Stage {
  if (stage.at !== "unlocking") return stage;
  const { report, pin } = stage;
  const by = now + leftMs + limits.UNLOCK_MS;
  return { at: "suspended", report, pin, busy: label, until: date + leftMs, by };
}

/** The card is back. */
export function begun(stage: Stage, now: number): Stage {
  if (stage.at !== "suspended") return stage;
  const { report, pin } = stage;
  return { at: "unlocking", report, pin, ...unlockBounds(now) };
}

/** How long a PIN may take that is tried from now on. */
export function unlockBounds(now: number): { readonly by: number; readonly longest: number } {
  return { by: now + limits.UNLOCK_MS, longest: now + limits.UNLOCK_LONGEST_MS };
}

/** The engine still works on it: a right PIN doesn't fail because the box is busy. */
export function goesOn(stage: Stage, now: number): Stage {
  if (stage.at !== "unlocking") return stage;
  const by = Math.min(now + limits.UNLOCK_MS, stage.longest);
  return { ...stage, by: Math.max(by, stage.by), slow: true };
}

/** A person needs longer than a card. */
export function touched(stage: Stage, wanted: boolean, now: number): Stage {
  if (stage.at !== "unlocking") return stage;
  const { touch: _before, ...rest } = stage;
  return wanted ? { ...rest, touch: true, by: Math.max(rest.by, now + limits.TOUCH_MS) } : rest;
}

/** Other tries are left than the holder was told. */
export function counted(stage: Stage, triesLeft: number): Stage {
  if (stage.at !== "asked" && stage.at !== "suspended") return stage;
  if (triesLeft === stage.report.triesLeft) return stage;
  const report = { ...stage.report, triesLeft };
  return stage.at === "asked" ? { ...stage, report, wrong: false } : { ...stage, report };
}
