/** From a profile and its keys to what a card carries: a signed head and a sealed container. */
import { randomBytes } from "node:crypto";
import { sha256 } from "@noble/hashes/sha2.js";
import { type FileKeyRecipient, sealContainer } from "./container.ts";
import { FRAME_SALT } from "./frame.ts";
import { signHead } from "./head.ts";
import type { IssuerSigner } from "./jws.ts";
import { pivRecipient } from "./piv_p256.ts";
import { passwordRecipient } from "./password.ts";
import type { Profile } from "./profile.ts";
import { encodeSettings, type ProfileKeys } from "./settings.ts";
import type { CardKey } from "./types.ts";

/** Who can open a profile. */
export interface SealOptions {
  readonly issuer: IssuerSigner;
  /** The card's own key. */
  readonly sealedTo: CardKey;
  /** More recipients of the same container: stock age recipients (`age1…`) or others. */
  readonly recovery?: readonly (FileKeyRecipient | string)[];
  /** A password for a second container: age allows no other recipient beside a password. */
  readonly password?: Uint8Array;
}

/** What goes onto a card, and the second container where a password was given. */
export interface SealedProfile {
  readonly head: Uint8Array;
  readonly sealed: Uint8Array;
  readonly backup?: Uint8Array;
}

/** Signs and seals. The caller wipes the keys. */
export async function sealProfile(
  content: { profile: Profile } & ProfileKeys,
  options: SealOptions,
): Promise<SealedProfile> {
  const { issuer, sealedTo, recovery = [], password } = options;
  const { profile } = content;
  const salt = new Uint8Array(randomBytes(FRAME_SALT));
  const plaintext = await encodeSettings(content, { issuer, salt });
  try {
    const head = await signHead({
      profileId: profile.id,
      cardId: profile.cardId,
      holder: profile.user.name,
      expiresAt: profile.expiresAt,
      generation: profile.generation,
      inner: sha256(plaintext),
      sealedTo,
    }, issuer);
    const sealed = await sealContainer(plaintext, [pivRecipient(sealedTo.publicKey), ...recovery]);
    if (password === undefined) return { head, sealed };
    return { head, sealed, backup: await sealContainer(plaintext, [passwordRecipient(password)]) };
  } finally {
    plaintext.fill(0);
  }
}
