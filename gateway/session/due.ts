/** What is to be done with a stage whose bound or whose profile's expiry has come. @core */
import { assertNever } from "../../os/assert_never.ts";
import type { Moment } from "./pin_stages.ts";
import { boundOf, expiryOf, type Stage } from "./stage.ts";

export type Due =
  | { readonly is: "nothing" }
  | { readonly is: "failed"; readonly reason: string }
  | { readonly is: "expired"; readonly holder: string; readonly expiredAt: number }
  /** An engine that was told to end hasn't. */
  | { readonly is: "kill" }
  /** The pause is over. */
  | { readonly is: "again" };

export function dueIn(stage: Stage, { now, date }: Moment): Due {
  const isLate = hasCome(boundOf(stage), now);
  if (!isLate && !hasCome(expiryOf(stage), date)) return { is: "nothing" };
  switch (stage.at) {
    case "starting":
      return { is: "failed", reason: "the card gave no answer in time" };
    case "unlocking":
      return { is: "failed", reason: "unlocking took too long" };
    case "applying":
      return { is: "failed", reason: "the network could not be set up in time" };
    case "suspended":
      if (isLate) return { is: "failed", reason: "the card was not given back in time" };
      return expired(stage.report);
    case "asked":
      return expired(stage.report);
    case "up":
      return expired(stage.grant);
    case "ending":
      return { is: "kill" };
    case "settled":
      return { is: "again" };
    case "idle":
      return { is: "nothing" };
    default:
      return assertNever(stage);
  }
}

function hasCome(at: number | undefined, clock: number): boolean {
  return at !== undefined && clock >= at;
}

function expired({ holder, expiresAt }: { holder: string; expiresAt: number }): Due {
  return { is: "expired", holder, expiredAt: expiresAt };
}
