/**
 * How an OpenPGP card opens a profile: with the profile's own key in private object 3, wrapped to the
 * card's decryption key, or with that decryption key itself. Where there is an object, profiles of
 * before it was written no longer open, wherever copies of them lie.
 */
import { x25519Identity } from "../profile/age_identity.ts";
import { StanzaError } from "../profile/container.ts";
import type { FileKeyIdentity } from "../profile/types.ts";
import { openPgpIdentity } from "./age_card.ts";
import type { OpenPgpClient } from "./client.ts";
import { PRIVATE_OBJECT } from "./constants.ts";
import { isWrappedKey, unwrapKey } from "./wrapped_key.ts";

/** Where a profile's own key lies; PW1 reads and writes it. */
export const KEY_OBJECT = PRIVATE_OBJECT.third;

/** What opening needs of a card. */
export type OpeningCard = Pick<OpenPgpClient, "agree" | "privateObject">;

/**
 * Opens with the card; PW1 (82) must be verified.
 * @throws {StanzaError} when the object is damaged, or a stanza is malformed.
 */
export function cardIdentity(card: OpeningCard, publicKey: Uint8Array): FileKeyIdentity {
  const direct = openPgpIdentity(card, publicKey);
  return {
    async unwrapFileKey(stanzas) {
      const object = await card.privateObject(KEY_OBJECT);
      // Another program's object is none of our business.
      if (object === undefined || !isWrappedKey(object)) return await direct.unwrapFileKey(stanzas);
      const unwrapped = await unwrapKey(card, { bytes: object, recipient: publicKey });
      // Its decryption key was made anew: the object is as dead as what was sealed to the old one.
      if (unwrapped === "other-card") return await direct.unwrapFileKey(stanzas);
      if (typeof unwrapped === "string") {
        throw new StanzaError(`Cannot open: the key in the card's private object is ${unwrapped}`);
      }
      const { key } = unwrapped;
      try {
        const fileKey = await x25519Identity(key).unwrapFileKey(stanzas);
        return fileKey ?? await direct.unwrapFileKey(stanzas);
      } finally {
        key.fill(0);
      }
    },
  };
}
