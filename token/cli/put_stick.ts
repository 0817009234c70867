/** A profile from a file onto the stick that it is for, without the password or the issuer's key. */
import type { Bundle } from "../profile/bundle.ts";
import type { IssuerKey, ProfileHead } from "../profile/types.ts";
import { explainStickFault } from "../stick/fault.ts";
import { cardIdOf, decodeStickHead, isPiece, type StickHead } from "../stick/head.ts";
import { openMedium } from "../stick/medium.ts";
import { checkStickProfile, findStick, type FoundStick } from "../stick/open.ts";
import { rewriteStick } from "../stick/rewrite.ts";
import { piecesOf } from "../stick/seal.ts";
import { CommandError } from "./errors.ts";
import { writeWith } from "./outputs.ts";
import { profileFault } from "./read_profile.ts";
import { stickTarget, stickWriteError } from "./stick_change.ts";

/**
 * Writes it.
 * @throws {CommandError} when it is for another stick, older, forged, or the stick can't be used.
 */
export async function putOnStick(
  path: string,
  { bundle, issuerKeys }: { bundle: Bundle; issuerKeys: readonly IssuerKey[] },
): Promise<ProfileHead> {
  const target = await stickTarget(path);
  const found = await foundAt(target.path, issuerKeys);
  const stick = bundle.stick;
  if (stick === undefined) throw new CommandError("Cannot put the profile: it is for a card");
  const decoded = await decodeStickHead(stick, issuerKeys);
  if ("fault" in decoded) throw profileFault(decoded.fault === "forged" ? "forged" : "damaged");
  if (!isPiece(bundle.sealed, decoded.head.profile)) throw profileFault("damaged");
  mustBelong(decoded.head, found);
  const current = await checkStickProfile(found, { now: 0, highestGeneration: 0 });
  const highestGeneration = current.result === "fault" ? 0 : current.head.generation;
  const checked = await checkStickProfile(decoded, { now: 0, highestGeneration });
  if (checked.result === "fault") throw profileFault(checked.fault);
  const pieces = piecesOf(found, { profile: bundle.sealed, head: stick });
  await writeWith([], {
    what: "stick",
    write: () =>
      rewriteStick(target, found, pieces).catch((error) => {
        throw stickWriteError(error, path);
      }),
  });
  return checked.head;
}

async function foundAt(path: string, issuerKeys: readonly IssuerKey[]): Promise<FoundStick> {
  using medium = await openMedium(path);
  const found = await findStick(medium, issuerKeys);
  if ("fault" in found) throw new CommandError(explainStickFault(found));
  return found;
}

/** The head must speak of the key and the program that are on the stick. */
function mustBelong(head: StickHead, { head: there }: FoundStick): void {
  if (head.stick !== there.stick) {
    throw new CommandError(
      `Cannot put the profile: it is for ${cardIdOf(head.stick)}, and this is ` +
        `${cardIdOf(there.stick)}; put in the other stick`,
    );
  }
  const partsOf = ({ key, program }: StickHead) => JSON.stringify([key, program]);
  if (partsOf(head) === partsOf(there)) return;
  throw new CommandError(
    "Cannot put the profile: the stick was made anew since the file was written; renew it again",
  );
}
