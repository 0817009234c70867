/**
 * A card's X25519 decryption key as an age recipient: age-encryption.org/v1, "The X25519 recipient
 * type". Whoever knows the recipient seals with stock tools; the card opens, and its key stays in it.
 */
import { encodeBech32 } from "../profile/bech32.ts";
import { StanzaError } from "../profile/container.ts";
import type { FileKeyIdentity } from "../profile/types.ts";
import {
  ephemeralShare,
  isX25519Stanza,
  unwrapStanza,
  X25519_BYTES,
} from "../profile/x25519_stanza.ts";
import type { OpenPgpClient } from "./client.ts";

/** Such stanzas don't say whom they are for: each costs the card an operation. */
const MOST_TRIES = 8;

/** `age1…` for a card's decryption key (32 bytes). */
export function ageRecipient(publicKey: Uint8Array): string {
  if (publicKey.length !== X25519_BYTES) {
    throw new RangeError(`Cannot name a recipient by ${publicKey.length} bytes`);
  }
  return encodeBech32("age", publicKey);
}

/**
 * Opens with the card's decryption key; PW1 (82) must be verified.
 * @throws {StanzaError} when a stanza of this kind is malformed, or there are too many of them.
 */
export function openPgpIdentity(
  card: Pick<OpenPgpClient, "agree">,
  publicKey: Uint8Array,
): FileKeyIdentity {
  return {
    async unwrapFileKey(stanzas) {
      const own = stanzas.filter(isX25519Stanza);
      for (const stanza of own.slice(0, MOST_TRIES)) {
        // Checked before the card sees it, so that no file makes a card look broken.
        const ephemeral = ephemeralShare(stanza);
        const shared = await card.agree({ peer: ephemeral });
        const fileKey = unwrapStanza(stanza, { shared, ephemeral, publicKey });
        if (fileKey !== undefined) return fileKey;
      }
      if (own.length > MOST_TRIES) {
        throw new StanzaError(`Cannot open: more than ${MOST_TRIES} stanzas to try on the card`);
      }
      return null;
    },
  };
}
