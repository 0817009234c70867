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
  /** Each card opens only together with a hub; other cards have a `proof` key then. */
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
  /** The hub's half for the profile's own card, as a file for the hub. */
  readonly hubShare?: Uint8Array;
  /** The hub's halves for the other cards, by card id. */
  readonly otherShares: ReadonlyMap<string, Uint8Array>;
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
  const cards = [
    ...(sealedTo === undefined ? [] : [{ cardId: profile.cardId, ...sealedTo }]),
    ...otherCards,
  ].map((card) => new CardSeal(card, split));
  try {
    const headFor = (cardId: string, card?: CardSeal) =>
      signHead({
        profileId: profile.id,
        cardId,
        holder: profile.user.name,
        expiresAt: profile.expiresAt,
        generation: profile.generation,
        ...(profile.asksUserId === undefined ? {} : { asksUserId: profile.asksUserId }),
        inner: sha256(plaintext),
        ...card?.inHead(),
      }, issuer);
    const own = cards.find(({ cardId }) => cardId === profile.cardId);
    const head = await headFor(profile.cardId, own);
    const others = cards.filter((card) => card !== own);
    const otherHeads = new Map<string, Uint8Array>();
    for (const card of others) otherHeads.set(card.cardId, await headFor(card.cardId, card));
    const recipients = [...cards.map((card) => card.recipient()), ...recovery];
    const byPassword = password === undefined
      ? undefined
      : await sealContainer(plaintext, [passwordRecipient(password)]);
    const sealed = recipients.length === 0
      ? byPassword ?? new Uint8Array(0)
      : await sealContainer(plaintext, recipients);
    const hubShare = await own?.record(profile, issuer);
    const otherShares = new Map<string, Uint8Array>();
    for (const card of others) {
      const record = await card.record(profile, issuer);
      if (record !== undefined) otherShares.set(card.cardId, record);
    }
    return {
      head,
      sealed,
      otherHeads,
      otherShares,
      ...(byPassword === undefined || recipients.length === 0 ? {} : { backup: byPassword }),
      ...(hubShare === undefined ? {} : { hubShare }),
    };
  } finally {
    plaintext.fill(0);
    for (const card of cards) card.wipe();
  }
}

/**
 * How one card opens the container. Where the profile is split, each card has a split of its own:
 * two cards' halves, or a card's and another card's half at the hub, mean nothing together.
 */
class CardSeal {
  readonly cardId: string;
  readonly #key: CardKey;
  readonly #split: (SplitHead & { proofKey: Uint8Array }) | undefined;
  #hubShare: Uint8Array | undefined;

  constructor({ cardId, slot, publicKey, proof }: RecipientCard, split: SplitOptions | undefined) {
    this.cardId = cardId;
    this.#key = { slot, publicKey };
    if (split === undefined) return;
    const { hub, hubKey } = split;
    const id = new Uint8Array(randomBytes(SHARE_ID_BYTES));
    const { slot: proofSlot, publicKey: proofKey } = proof ??
      { slot: split.proofSlot, publicKey: split.proofKey };
    this.#split = { id, hub, hubKey, proofSlot, proofKey };
  }

  inHead(): { sealedTo: CardKey; split?: SplitHead } {
    if (this.#split === undefined) return { sealedTo: this.#key };
    const { proofKey: _proofKey, ...split } = this.#split;
    return { sealedTo: this.#key, split };
  }

  recipient(): FileKeyRecipient {
    const { publicKey } = this.#key;
    if (this.#split === undefined) return pivRecipient(publicKey);
    const { id } = this.#split;
    return splitRecipient(publicKey, { id, onHubShare: (share) => this.#hubShare = share });
  }

  /** The hub's half, once the container is sealed. */
  async record(profile: Profile, issuer: IssuerSigner): Promise<Uint8Array | undefined> {
    if (this.#split === undefined || this.#hubShare === undefined) return undefined;
    const { id, proofKey } = this.#split;
    return await signShareRecord({
      id,
      profileId: profile.id,
      cardId: this.cardId,
      generation: profile.generation,
      expiresAt: profile.expiresAt,
      clientId: profile.clientId,
      proofKey,
      share: this.#hubShare,
    }, issuer);
  }

  wipe(): void {
    this.#hubShare?.fill(0);
  }
}

function checkOptions(options: SealOptions): void {
  const { sealedTo, otherCards = [], recovery = [], password, split } = options;
  if (sealedTo === undefined && recovery.length === 0 && password === undefined) {
    throw new RangeError("Cannot seal the profile: nobody could open it; name a recipient");
  }
  if (split !== undefined && sealedTo === undefined) {
    throw new RangeError("Cannot split the profile: it takes a card's key");
  }
  if (split !== undefined && otherCards.some(({ proof }) => proof === undefined)) {
    throw new RangeError(
      "Cannot split the profile: another card has no key that proves it to the hub",
    );
  }
  if (otherCards.length > MOST_OTHER_CARDS) {
    throw new RangeError(`Cannot seal the profile to more than ${MOST_OTHER_CARDS} other cards`);
  }
}
