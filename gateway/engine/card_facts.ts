/** What a card can do for a profile and why, for the panel; asked without a PIN. */
import { CardGoneError } from "../../token/apdu/channel.ts";
import { openPgpFacts, pivFacts } from "../../token/capabilities/find_out.ts";
import { judge } from "../../token/capabilities/judge.ts";
import type { CardCapabilities } from "../../token/capabilities/types.ts";
import type { CardView } from "../view.ts";
import type { ProfileCarrier } from "./find_profile.ts";
import type { HeldCard } from "./held_card.ts";

/**
 * Judges a selected card; `undefined` when it doesn't answer as cards do: then its profile's own
 * fault is said, and no more.
 * @throws {CardGoneError} when it was pulled.
 */
export async function cardFacts(
  card: HeldCard,
  carrier: ProfileCarrier | undefined,
): Promise<CardView | undefined> {
  try {
    // Without a profile another application of the card was looked at since.
    if (carrier === undefined && !await card.client.select()) return undefined;
    const { application, identities, carriers } = await capabilities(card, carrier);
    return { application, ...(carrier === undefined ? {} : { carrier }), identities, carriers };
  } catch (error) {
    if (error instanceof CardGoneError) throw error;
    return undefined;
  }
}

async function capabilities(
  card: HeldCard,
  carrier: ProfileCarrier | undefined,
): Promise<CardCapabilities> {
  if (card.application === "openpgp") return judge(await openPgpFacts(card.client));
  const { client } = card;
  return judge(
    await pivFacts({
      template: client.template,
      version: () => client.version(),
      metadata: (slot) => client.metadata(slot),
      // Whether a profile is there was seen already: the card isn't made to send it again.
      getObject: () => Promise.resolve(carrier === "card" ? Uint8Array.of(0) : undefined),
    }),
  );
}
