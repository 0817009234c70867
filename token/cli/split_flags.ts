/** A profile whose other half lies at a hub, as the command line asks for it. */
import { isEndpoint } from "../profile/profile.ts";
import type { SplitOptions } from "../profile/seal.ts";
import type { CardKey } from "../profile/types.ts";
import type { PivClient } from "../piv/client.ts";
import { sealingKey } from "./card_keys.ts";
import { UsageError } from "./errors.ts";
import type { FlagKinds, Given } from "./options.ts";

/** Flags that split a profile. */
export const SPLIT_FLAGS = {
  "share-hub": "text",
  "share-hub-key": "text",
  "share-out": "text",
  "proof-slot": "text",
  "new-proof-key": "flag",
} as const satisfies FlagKinds;

/** The help lines of {@linkcode SPLIT_FLAGS}. */
export const SPLIT_HELP =
  `  --share-hub H:P             split: the card opens the profile only with this hub's half (TCP)
  --share-hub-key KEY         the hub's key for that, base64 (wg pubkey of its [shares] key)
  --share-out FILE            the hub's half, for its [shares] folder
  --proof-slot SLOT           the card's P-256 key that proves the card to the hub: 9a (default),
                              82 to 95
  --new-proof-key             make a new one there, over any key`;

/** What was asked for. */
export interface SplitWish extends ProofWish {
  readonly hub: string;
  readonly hubKey: Uint8Array;
  readonly shareOut: string;
}

/** Which key of a card proves it to a hub. */
export interface ProofWish {
  readonly proofSlot: number;
  readonly newProofKey: boolean;
}

/** Reads the flags; `undefined` for a profile that is not split. */
export function splitWishOf(given: Given): SplitWish | undefined {
  const [hub, key] = [given.text("share-hub"), given.text("share-hub-key")];
  const out = given.text("share-out");
  if (hub === undefined && key === undefined && out === undefined) return undefined;
  if (hub === undefined || key === undefined || out === undefined) {
    throw new UsageError(
      "Cannot split the profile: --share-hub, --share-hub-key and --share-out go together",
    );
  }
  if (!isEndpoint(hub)) throw new UsageError(`Cannot use --share-hub ${hub}: expected host:port`);
  if (!/^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/.test(key)) {
    throw new UsageError("Cannot use --share-hub-key: expected 32 bytes in base64");
  }
  return {
    hub,
    hubKey: Uint8Array.fromBase64(key),
    proofSlot: readProofSlot(given.text("proof-slot") ?? "9a"),
    newProofKey: given.flag("new-proof-key"),
    shareOut: out,
  };
}

/** Reads the flags of a card that is to be named in a split profile. */
export function proofWishOf(given: Given): ProofWish | undefined {
  const slot = given.text("proof-slot");
  const newProofKey = given.flag("new-proof-key");
  if (!given.flag("for-hub") && slot === undefined && !newProofKey) return undefined;
  return { proofSlot: readProofSlot(slot ?? "9a"), newProofKey };
}

/** The card's own key, made if there is none. */
export async function proofKeyOf(piv: PivClient, wish: ProofWish): Promise<CardKey> {
  return await sealingKey(piv, {
    slot: wish.proofSlot,
    known: undefined,
    renew: wish.newProofKey,
    flag: "--new-proof-key",
  });
}

/** What sealing wants, with the key that proves the profile's own card. */
export function splitOptions({ hub, hubKey }: SplitWish, proof: CardKey): SplitOptions {
  return { hub, hubKey, proofSlot: proof.slot, proofKey: proof.publicKey };
}

/**
 * Where the hub's halves go: `FILE.share` for the profile's own card, `FILE.2.share` and so on for
 * the others in their order.
 */
export function sharePaths(
  shareOut: string,
  others: readonly { readonly cardId: string }[],
): ReadonlyMap<string, string> {
  const [, stem = "", ending = ""] = /^(.*?)(\.[^./]*)?$/s.exec(shareOut) ?? [];
  return new Map(others.map(({ cardId }, index) => [cardId, `${stem}.${index + 2}${ending}`]));
}

function readProofSlot(text: string): number {
  const slot = /^[0-9a-fA-F]{2}$/.test(text) ? parseInt(text, 16) : 0;
  if (slot === 0x9a || (slot >= 0x82 && slot <= 0x95)) return slot;
  throw new UsageError(`Cannot use --proof-slot ${text}: expected 9a, or 82 to 95`);
}
