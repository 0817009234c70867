/** What is known of a profile before the card is: its fields and keys, and what the station brings. */
import type { IssuerSigner } from "../profile/jws.ts";
import type { Fields } from "./fields.ts";
import { issuerOf } from "./issuer_key.ts";
import type { Given } from "./options.ts";
import { type AskedRecipients, askedRecipients } from "./recipient_flags.ts";
import { type SplitWish, splitWishOf } from "./split_flags.ts";

/** Keys of the client; those that are sealed are wiped after use. */
export interface ClientKeys {
  readonly identity: { kind: "sealed"; publicKey: string; privateKey: Uint8Array } | {
    kind: "on-card";
  };
  readonly presharedKey: Uint8Array | undefined;
}

/** A profile to be written: what is known before the card is. */
export interface Writing {
  readonly fields: Fields;
  readonly keys: ClientKeys;
  /** Unix seconds. */
  readonly now: number;
  /** With it the card has to prove its keys. */
  readonly pin?: Uint8Array | undefined;
}

/** What the station itself brings: read and checked before a card is touched. */
export interface Station {
  readonly issuer: IssuerSigner;
  readonly asked: AskedRecipients;
  readonly split: SplitWish | undefined;
}

/** Reads what the command line names. */
export async function openStation(given: Given): Promise<Station> {
  const issuer = await issuerOf(given);
  return { issuer, asked: await askedRecipients(given), split: splitWishOf(given) };
}

/** Wipes what was sealed. */
export function wipeKeys(keys: ClientKeys): void {
  if (keys.identity.kind === "sealed") keys.identity.privateKey.fill(0);
  keys.presharedKey?.fill(0);
}
