/**
 * A split profile: the container's file key is cut in two by Shamir's scheme, two of two (Shamir,
 * "How to share a secret", 1979, by an audited library). One share lies on the card, wrapped
 * to the card's key; the other lies at a hub.
 *
 *     -> sekisho-split <first 4 bytes of SHA-256(key)> <ephemeral key> <share id>
 *     <the card's share (17 bytes), wrapped as `piv-p256` wraps a file key, under this name>
 *
 * A share alone is consistent with every file key there is.
 */
import { Stanza as AgeStanza } from "age-encryption";
import { combine, split } from "shamir-secret-sharing";
import { type FileKeyRecipient, StanzaError } from "./container.ts";
import { type AgreeingCard, cardTag, checkCardKey, unwrapStanzas, wrapToCard } from "./piv_p256.ts";
import type { CardKey, FileKeyIdentity } from "./types.ts";

const NAME = "sekisho-split";
const FILE_KEY_BYTES = 16;

/** A share: as long as the file key, and its place on the line. */
export const SHARE_BYTES = FILE_KEY_BYTES + 1;

/** Bytes of a share's id: chosen at random for each sealing. */
export const SHARE_ID_BYTES = 16;

/**
 * Seals to a card's key and a hub together.
 * @param options.onHubShare Takes the hub's share (17 bytes) over, once.
 */
export function splitRecipient(
  publicKey: Uint8Array,
  options: { id: Uint8Array; onHubShare: (share: Uint8Array) => void },
): FileKeyRecipient {
  checkCardKey(publicKey);
  return {
    async wrapFileKey(fileKey) {
      const [own, other] = await split(fileKey, 2, 2);
      if (own === undefined || other === undefined) throw new Error("Two shares are asked for");
      const { ephemeral, body } = wrapToCard(own, { publicKey, label: NAME });
      own.fill(0);
      options.onHubShare(other);
      const words = [ephemeral, options.id].map((bytes) => bytes.toBase64({ omitPadding: true }));
      return [new AgeStanza([NAME, cardTag(publicKey), ...words], body)];
    },
  };
}

/**
 * Opens with the card's key (its PIN must be verified) and the hub's share.
 * @param options.fetchShare Gets the hub's share; what it throws comes through as it is.
 */
export function splitIdentity(
  card: AgreeingCard,
  cardKey: CardKey,
  options: { id: Uint8Array; fetchShare: () => Promise<Uint8Array> },
): FileKeyIdentity {
  const id = options.id.toBase64({ omitPadding: true });
  return {
    async unwrapFileKey(stanzas) {
      const own = await unwrapStanzas(card, cardKey, {
        label: NAME,
        stanzas: stanzas.filter(({ args }) => args.length === 4 && args[3] === id),
        bytes: SHARE_BYTES + 16,
      });
      if (own === null) return null;
      const other = await options.fetchShare().catch((error) => {
        own.fill(0);
        throw error;
      });
      try {
        return await combine([own, other]);
      } catch {
        throw new StanzaError("Cannot open: the hub's share is none of this profile's");
      } finally {
        own.fill(0);
        other.fill(0);
      }
    },
  };
}
