/** Whether a card itself can carry a profile, and where one goes that it can't. */
import { randomBytes } from "node:crypto";
import { pivFacts, tryObjects } from "../capabilities/find_out.ts";
import { best, judge } from "../capabilities/judge.ts";
import { reasonText } from "../capabilities/words.ts";
import type { PivClient } from "../piv/client.ts";
import { CommandError } from "./errors.ts";

/** What a gateway does with a profile that lies beside its card. */
export const TO_THE_FOLDER = "copy it, its name ending in .profile, to the folder that gateways " +
  "have as token.profiles";

/** How much is written to try a card: a whole chunk of a profile. */
const TRIAL_BYTES = 3000;

/**
 * Why the card can't carry a profile; `undefined`: it can. A card that does not say is tried, for
 * which the management key must be proven; nothing stays of that.
 */
export async function whyNoRoom(
  piv: Parameters<typeof pivFacts>[0] & Pick<PivClient, "putObject">,
): Promise<string | undefined> {
  const facts = await pivFacts(piv);
  const told = judge(facts);
  const filling = () => new Uint8Array(randomBytes(TRIAL_BYTES));
  const carriers = told.carriers.some(({ way, open }) => way === "card" && open === "unknown")
    ? judge({ ...facts, trial: await tryObjects(piv, filling()) }).carriers
    : told.carriers;
  if (best(carriers)?.way === "card") return undefined;
  const reason = carriers.find(({ way }) => way === "card")?.reason;
  return reason === undefined ? "it carries none" : asState(reasonText(reason, "en"));
}

/** The error for a profile that fits nowhere. */
export function noRoom(why: string): CommandError {
  return new CommandError(
    `Cannot write the profile to the card: ${why}; give --bundle-out FILE.profile, and ` +
      TO_THE_FOLDER,
  );
}

/** Says that the profile is in a file, and what to do with it. */
export function sayBeside(path: string, why: string): void {
  console.error(`note: the profile is in ${path}, not on the card: ${why}; ${TO_THE_FOLDER}`);
}

/** A sentence as the state in an error's line. */
function asState(sentence: string): string {
  return sentence.charAt(0).toLowerCase() + sentence.slice(1).replace(/\.$/, "");
}
