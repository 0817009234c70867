/** What the terminal of a wrong entry is told. @core */
import type { PinOutcome } from "../view.ts";
import type { Asked } from "./stage.ts";

/**
 * A wrong user id and a wrong PIN have one answer, without the tries left: these sink with a wrong
 * PIN alone, and so would tell that the PIN was right.
 */
export function wrongEntry({ asksUserId }: Asked, triesLeft: number): PinOutcome {
  return asksUserId ? { outcome: "wrong-id-or-pin" } : { outcome: "wrong-pin", triesLeft };
}
