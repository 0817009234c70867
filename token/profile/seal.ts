/** From a profile and its keys to what cards carry: signed heads and a sealed container. */
import { randomBytes } from "node:crypto";
import { sha256 } from "@noble/hashes/sha2.js";
import { type FileKeyRecipient, sealContainer } from "./container.ts";
import { FRAME_SALT } from "./frame.ts";
import { signHead } from "./head.ts";
import type { IssuerSigner } from "./jws.ts";
import { MOST_OTHER_CARDS } from "./limits.ts";
import { passwordRecipient } from "./password.ts";
import { pivRecipient } from "./piv_p256.ts";
import type { Profile } from "./profile.ts";
import type { RecipientCard } from "./recipients.ts";
import { encodeSettings, type ProfileKeys } from "./settings.ts";
import { signShareRecord } from "./share_record.ts";
import { SHARE_ID_BYTES, splitRecipient } from "./split.ts";
import type { CardKey, SplitHead } from "./types.ts";

/** Who can open a profile. One of `sealedTo`, `recovery` and `password` must be there. */
export interface SealOptions {
  readonly issuer: IssuerSigner;
  /** The own key of the card that the profile names; absent for a token without one (a stick). */
  readonly sealedTo?: CardKey;
  /** Other cards that open the same container, each with a head of its own. */
  readonly otherCards?: readonly RecipientCard[];
  /** More recipients of the same container: stock age recipients (`age1…`) or others. */
  readonly recovery?: readonly (FileKeyRecipient | string)[];
  /** A password for a second container: age allows no other recipient beside a password. */
  readonly password?: Uint8Array;
  /** The card opens only together with a hub. */
  readonly split?: SplitOptions;
}

/** Where the other half of the file key goes. */
export interface SplitOptions extends Omit<SplitHead, "id"> {
  /** The card's public key that belongs to `proofSlot`: compressed point, 33 bytes. */
  readonly proofKey: Uint8Array;
}

/** What goes onto a card, and what else comes of it. */
export interface SealedProfile {
  readonly head: Uint8Array;
  /** The container; when a password is the only way in, that one. */
  readonly sealed: Uint8Array;
  /** The second container, where a password stands beside others. */
  readonly backup?: Uint8Array;
  /** The heads of the other cards, by card id. */
  readonly otherHeads: ReadonlyMap<string, Uint8Array>;
  /** The hub's half, as a file for the hub. */
  readonly hubShare?: Uint8Array;
}

/**
 * Signs and seals. The caller wipes the keys.
 * @throws {RangeError} when nobody could open it, or more than fits.
 */
export async function sealProfile(
  content: { profile: Profile } & ProfileKeys,
  options: SealOptions,
): Promise<SealedProfile> {
  const { issuer, sealedTo, otherCards = [], recovery = [], password, split } = options;
  const { profile } = content;
  checkOptions(options);
  const salt = new Uint8Array(randomBytes(FRAME_SALT));
  const plaintext = await encodeSettings(content, { issuer, salt });
  const shareId = new Uint8Array(randomBytes(SHARE_ID_BYTES));
  let hubShare: Uint8Array | undefined;
  try {
    const headFor = (card: { cardId: string; key: CardKey | undefined; split?: SplitHead }) =>
      signHead({
        profileId: profile.id,
        cardId: card.cardId,
        holder: profile.user.name,
        expiresAt: profile.expiresAt,
        generation: profile.generation,
        inner: sha256(plaintext),
        ...(card.key === undefined ? {} : { sealedTo: card.key }),
        ...(card.split === undefined ? {} : { split: card.split }),
      }, issuer);
    const head = await headFor({
      cardId: profile.cardId,
      key: sealedTo,
      ...(split === undefined ? {} : { split: headOf(split, shareId) }),
    });
    const otherHeads = new Map<string, Uint8Array>();
    for (const { cardId, slot, publicKey } of otherCards) {
      otherHeads.set(cardId, await headFor({ cardId, key: { slot, publicKey } }));
    }
    const own = sealedTo === undefined ? [] : [
      split === undefined ? pivRecipient(sealedTo.publicKey) : splitRecipient(sealedTo.publicKey, {
        id: shareId,
        onHubShare: (share) => hubShare = share,
      }),
    ];
    const recipients = [
      ...own,
      ...otherCards.map(({ publicKey }) => pivRecipient(publicKey)),
      ...recovery,
    ];
    const byPassword = password === undefined
      ? undefined
      : await sealContainer(plaintext, [passwordRecipient(password)]);
    const sealed = recipients.length === 0
      ? byPassword ?? new Uint8Array(0)
      : await sealContainer(plaintext, recipients);
    return {
      head,
      sealed,
      otherHeads,
      ...(byPassword === undefined || recipients.length === 0 ? {} : { backup: byPassword }),
      ...(split === undefined || hubShare === undefined ? {} : {
        hubShare: await signShareRecord({
          id: shareId,
          profileId: profile.id,
          cardId: profile.cardId,
          generation: profile.generation,
          expiresAt: profile.expiresAt,
          clientId: profile.clientId,
          proofKey: split.proofKey,
          share: hubShare,
        }, issuer),
      }),
    };
  } finally {
    plaintext.fill(0);
    hubShare?.fill(0);
  }
}

function checkOptions(options: SealOptions): void {
  const { sealedTo, otherCards = [], recovery = [], password, split } = options;
  if (sealedTo === undefined && recovery.length === 0 && password === undefined) {
    throw new RangeError("Cannot seal the profile: nobody could open it; name a recipient");
  }
  if (split !== undefined && (sealedTo === undefined || otherCards.length > 0)) {
    throw new RangeError("Cannot split the profile: it takes exactly one card's key");
  }
  if (otherCards.length > MOST_OTHER_CARDS) {
    throw new RangeError(`Cannot seal the profile to more than ${MOST_OTHER_CARDS} other cards`);
  }
}

function headOf(split: SplitOptions, id: Uint8Array): SplitHead {
  const { hub, hubKey, proofSlot } = split;
  return { id, hub, hubKey, proofSlot };
}
