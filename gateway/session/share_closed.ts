/** Why the card isn't lent, by what the session says of it. @core */
import { assertNever } from "../../os/assert_never.ts";
import type { SessionPhase, ShareClosed } from "../view.ts";

/**
 * A card that the gateway doesn't accept is lent to nobody: anybody can put one in, and people at
 * terminals would type their PINs into it.
 */
export function whyClosed({ phase, token }: SessionPhase): ShareClosed {
  switch (phase) {
    case "no-reader":
    case "no-card":
    case "reading":
      return "no-card";
    case "expired":
    case "blocked":
    case "refused":
    case "failed":
      return token === "stick" ? "stick" : phase;
    case "pin-asked":
    case "suspended":
    case "unlocking":
    case "up":
      return token === "stick" ? "stick" : "locked";
    default:
      return assertNever(phase);
  }
}
