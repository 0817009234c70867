/** From the list of a profile's recipients to those of its container. */
import type { FileKeyRecipient } from "./container.ts";
import { pivRecipient } from "./piv_p256.ts";
import type { ProfileRecipient } from "./profile.ts";
import type { CardKey } from "./types.ts";

/** A card that can open a profile. */
export interface RecipientCard extends CardKey {
  readonly cardId: string;
  /** The key that proves the card to a hub, where a profile is split. */
  readonly proof?: CardKey;
}

/** What seals to a recipient. */
export function sealTo(recipient: ProfileRecipient): FileKeyRecipient | string {
  return recipient.kind === "card"
    ? pivRecipient(cardOf(recipient).publicKey)
    : recipient.recipient;
}

/** The cards among recipients. */
export function cardsOf(recipients: readonly ProfileRecipient[]): RecipientCard[] {
  return recipients.filter((one) => one.kind === "card").map(cardOf);
}

/** A card as a profile lists it. */
export function cardRecipient(name: string, card: RecipientCard): ProfileRecipient {
  const { cardId, slot, publicKey, proof } = card;
  return {
    kind: "card",
    name,
    cardId,
    ...written({ slot, publicKey }),
    ...(proof === undefined ? {} : { proof: written(proof) }),
  };
}

function cardOf(recipient: Extract<ProfileRecipient, { kind: "card" }>): RecipientCard {
  const { cardId, proof } = recipient;
  return {
    cardId,
    ...read(recipient),
    ...(proof === undefined ? {} : { proof: read(proof) }),
  };
}

function written({ slot, publicKey }: CardKey) {
  return { slot, publicKey: publicKey.toBase64({ alphabet: "base64url", omitPadding: true }) };
}

function read({ slot, publicKey }: { slot: number; publicKey: string }): CardKey {
  return { slot, publicKey: Uint8Array.fromBase64(publicKey, { alphabet: "base64url" }) };
}
