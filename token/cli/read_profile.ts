/** What `show` and `export` read from a card. */
import { decodeProtectedHeader } from "jose";
import type { SecretMemory } from "../../os/secret_memory.ts";
import { readHead, readSealed } from "../profile/carrier.ts";
import type { ProfileFault } from "../profile/fault.ts";
import { checkHead } from "../profile/head.ts";
import { parseIssuerKey } from "../profile/jws.ts";
import { openProfile } from "../profile/open.ts";
import { pivIdentity } from "../profile/piv_p256.ts";
import { fetchShare } from "../profile/share_client.ts";
import { splitIdentity } from "../profile/split.ts";
import type {
  CarriedHead,
  FileKeyIdentity,
  HeadCheck,
  IssuerKey,
  Opened,
  ProfileHead,
} from "../profile/types.ts";
import type { PivClient } from "../piv/client.ts";
import { touchedPiv } from "../touch.ts";
import { type OpenedCard, pinFault } from "./card.ts";
import { CommandError, UsageError } from "./errors.ts";
import type { Given } from "./options.ts";

/** A head as it lies on the card, and the verdict on it. */
export interface FoundHead {
  readonly carried: CarriedHead;
  readonly check: HeadCheck;
  readonly issuerKeys: readonly IssuerKey[];
  /** Whether the issuer was named on the command line; else the card's own word is taken. */
  readonly isTrusted: boolean;
}

/** The card's head. Without `--trust` any issuer's signature counts, and `isTrusted` says so. */
export async function findHead(
  card: OpenedCard,
  given: Given,
): Promise<FoundHead | Exclude<ProfileFault, "forged">> {
  const read = await readHead(card.piv);
  if (read.result === "fault") return read.fault;
  const { carried } = read;
  const trusted = given.list("trust").map((text) => {
    const key = parseIssuerKey(text);
    if (key === undefined) {
      throw new UsageError(`Cannot trust ${text}: it is no issuer's public key`);
    }
    return key;
  });
  const issuerKeys = trusted.length > 0 ? trusted : claimedIssuer(carried.head);
  const check = await checkHead(carried.head, {
    issuerKeys,
    cardId: card.id,
    now: Math.floor(Date.now() / 1000),
    highestGeneration: 0,
  });
  return { carried, check, issuerKeys, isTrusted: trusted.length > 0 };
}

/** Opens what belongs to a good head. The PIN is wiped. */
export async function openWithPin(
  card: OpenedCard,
  found: { carried: CarriedHead; head: ProfileHead; issuerKeys: readonly IssuerKey[] },
  options: { pin: Uint8Array; secrets: SecretMemory },
): Promise<Extract<Opened, { result: "ok" }>> {
  const { carried, head, issuerKeys } = found;
  const { pin, secrets } = options;
  const fault = pinFault("PIN", await card.piv.verifyPin(pin));
  pin.fill(0);
  if (fault !== undefined) throw fault;
  const sealed = await readSealed(card.piv, carried);
  if (sealed === undefined) throw profileFault("damaged");
  const identity = cardIdentity(card.piv, head);
  const opened = await openProfile({ sealed, head, identity, issuerKeys, secrets });
  if (opened.result === "fault") throw profileFault(opened.fault);
  return opened;
}

/** Opening with the card's own key, together with the hub's half where there is one. */
export function cardIdentity(client: PivClient, head: ProfileHead): FileKeyIdentity {
  const { sealedTo, split } = head;
  const piv = touchedPiv(client, sayTouch);
  if (sealedTo === undefined) {
    throw new CommandError("Cannot open the profile: it is sealed to no key of a card");
  }
  return split === undefined
    ? pivIdentity(piv, sealedTo)
    : splitIdentity(piv, sealedTo, { id: split.id, fetchShare: () => fetchShare(piv, split) });
}

/** Tells whoever is at the station that the card waits. */
export function sayTouch(wanted: boolean): void {
  if (wanted) console.error("touch the card's key now");
}

/** The message for each fault. */
export function profileFault(fault: ProfileFault): CommandError {
  const words: Record<ProfileFault, string> = {
    "none-on-card": "the card carries none; issue one with token issue",
    "damaged": "it is damaged; issue it again",
    "forged": "its signature is not by a trusted issuer; don't use this card",
    "other-card": "it belongs to another card; issue one for this card",
    "older-generation": "a newer one was issued since; use the card with the newer one",
    "newer-version": "a later version of this program wrote it; update this one",
    "revoked": "its issuer has taken it back; ask for a new one",
    "hub-unknown": "its hub doesn't have its other half; give the hub the file of --share-out",
    "hub-expired": "by its hub's clock it has expired; renew it",
    "hub-refused": "its hub doesn't take this card's proof; issue it anew",
  };
  return new CommandError(`Cannot take the card's profile: ${words[fault]}`);
}

/** Who says that he signed a head. */
export function claimedIssuer(head: Uint8Array): IssuerKey[] {
  try {
    const { kid } = decodeProtectedHeader(new TextDecoder().decode(head));
    const key = kid === undefined ? undefined : parseIssuerKey(kid);
    return key === undefined ? [] : [key];
  } catch {
    return [];
  }
}
