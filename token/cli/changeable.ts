/** What `edit`, `renew` and `recipient` change: a card's profile, one beside a card, or a stick's. */
import type { IssuerSigner } from "../profile/jws.ts";
import { findBeside, openBesideForChange, writeBesideChange } from "./beside_change.ts";
import { withCard, withSession } from "./card.ts";
import { type Change, type Key, type OpenedProfile, openForChange, writeChange } from "./change.ts";
import type { Given } from "./options.ts";
import { findStickFor, openStickForChange, writeStickChange } from "./stick_change.ts";
import type { Summary } from "./summary.ts";

/** A token whose profile can be opened and written again. */
export interface Changeable {
  open(options: { issuer: IssuerSigner; key: Key; now: number }): Promise<OpenedProfile>;
  write(former: OpenedProfile, change: Change): Promise<Summary>;
}

/** Works on the stick that `--stick` names, on the file that `--bundle` names with its card, else on the card in a reader. */
export async function withChangeable<T>(
  given: Given,
  issuer: IssuerSigner,
  work: (token: Changeable) => Promise<T>,
): Promise<T> {
  const path = given.text("stick");
  if (path !== undefined) {
    const stick = await findStickFor(path, issuer);
    return await work({
      open: (options) => openStickForChange(stick, options),
      write: (former, change) => writeStickChange(stick, former, change),
    });
  }
  const bundle = given.text("bundle");
  if (bundle !== undefined) {
    return await withSession(given.text("reader"), async (session) => {
      const beside = await findBeside(session, bundle);
      return await work({
        open: (options) => openBesideForChange(beside, options),
        write: writeBesideChange,
      });
    });
  }
  return await withCard(given.text("reader"), (card) =>
    work({
      open: (options) => openForChange(card, options),
      write: (former, change) => writeChange(card, former, change),
    }));
}
