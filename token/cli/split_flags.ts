/** A profile whose other half lies at a hub, as the command line asks for it. */
import { isEndpoint } from "../profile/profile.ts";
import type { SplitOptions } from "../profile/seal.ts";
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
export interface SplitWish {
  readonly hub: string;
  readonly hubKey: Uint8Array;
  readonly proofSlot: number;
  readonly newProofKey: boolean;
  readonly shareOut: string;
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

/** Adds the card's own key, made if there is none. */
export async function withProof(piv: PivClient, wish: SplitWish): Promise<SplitOptions> {
  const { hub, hubKey, proofSlot, newProofKey } = wish;
  const { publicKey } = await sealingKey(piv, {
    slot: proofSlot,
    known: undefined,
    renew: newProofKey,
    flag: "--new-proof-key",
  });
  return { hub, hubKey, proofSlot, proofKey: publicKey };
}

function readProofSlot(text: string): number {
  const slot = /^[0-9a-fA-F]{2}$/.test(text) ? parseInt(text, 16) : 0;
  if (slot === 0x9a || (slot >= 0x82 && slot <= 0x95)) return slot;
  throw new UsageError(`Cannot use --proof-slot ${text}: expected 9a, or 82 to 95`);
}
