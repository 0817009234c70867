/** From a PIN to an opened profile: the card decides and counts; on a match its key opens the rest. */
import { assertNever } from "../../os/assert_never.ts";
import {
  CardGarbledError,
  CardGoneError,
  CardRefusedError,
  CardSilentError,
} from "../../token/apdu/channel.ts";
import { cardIdentity } from "../../token/openpgp/card_identity.ts";
import { openProfile } from "../../token/profile/open.ts";
import { pivIdentity } from "../../token/profile/piv_p256.ts";
import {
  fetchShare,
  ShareRefusedError,
  ShareUnreachableError,
} from "../../token/profile/share_client.ts";
import type { ShareRefusal } from "../../token/profile/share_protocol.ts";
import { splitIdentity } from "../../token/profile/split.ts";
import type { FileKeyIdentity, IssuerKey, Opened } from "../../token/profile/types.ts";
import { touchedOpenPgp, touchedPiv } from "../../token/touch.ts";
import type { UnlockFailure } from "../session/events.ts";
import type { ProfileFault } from "../view.ts";
import type { ReadyCard } from "./card.ts";
import type { EngineSecrets } from "./secrets.ts";

export type Unlocked = Extract<Opened, { result: "ok" }>;

/**
 * Shows the PIN in `secrets` to the card once and opens the profile.
 * @throws {CardGoneError} when the card was pulled.
 */
export async function unlock(
  ready: ReadyCard,
  { issuerKeys, secrets, onTouch }: {
    issuerKeys: readonly IssuerKey[];
    secrets: EngineSecrets;
    /** Hears when the card waits for a touch of its key, and when no longer. */
    onTouch: (wanted: boolean) => void;
  },
): Promise<Unlocked | { result: "failed"; why: UnlockFailure }> {
  try {
    const verified = await ready.card.client.verifyPin(secrets.pin);
    if (verified.outcome === "blocked") return failed({ failure: "blocked" });
    if (verified.outcome === "wrong") {
      return failed({ failure: "wrong-pin", triesLeft: verified.triesLeft });
    }
    const identity = identityOf(ready, onTouch);
    if (identity === undefined) {
      return failed({ failure: "failed", reason: "no key of this card opens the profile" });
    }
    const opened = await openProfile({
      sealed: ready.sealed,
      head: ready.head,
      identity,
      secrets: secrets.profile,
      issuerKeys,
      onFileKey: (fileKey) => secrets.keepFileKey(fileKey),
    });
    if (opened.result === "fault") return failed({ failure: "refused", fault: opened.fault });
    return opened;
  } catch (error) {
    if (error instanceof CardGoneError) throw error;
    if (error instanceof CardSilentError || error instanceof CardGarbledError) {
      return failed({ failure: "failed", reason: error.message });
    }
    if (error instanceof CardRefusedError) {
      return failed({ failure: "failed", reason: error.message });
    }
    if (error instanceof ShareRefusedError) {
      return failed({ failure: "refused", fault: faultOf(error.why) });
    }
    if (error instanceof ShareUnreachableError) {
      return failed({ failure: "failed", reason: error.message });
    }
    throw error;
  }
}

/** The card's key alone, or together with the half that a hub gives out once the card proved itself. */
function identityOf(
  { card, head }: ReadyCard,
  onTouch: (wanted: boolean) => void,
): FileKeyIdentity | undefined {
  const { sealedTo, split } = head;
  if (card.application === "openpgp") {
    return card.publicKey &&
      cardIdentity(touchedOpenPgp(card.client, onTouch), card.publicKey);
  }
  const piv = touchedPiv(card.client, onTouch);
  if (sealedTo === undefined || split === undefined) {
    return sealedTo && pivIdentity(piv, sealedTo);
  }
  return splitIdentity(piv, sealedTo, { id: split.id, fetchShare: () => fetchShare(piv, split) });
}

/** What people are told of a hub's reason. */
function faultOf(why: ShareRefusal): ProfileFault {
  switch (why) {
    case "unknown":
      return "hub-unknown";
    case "revoked":
      return "revoked";
    case "expired":
      return "hub-expired";
    case "replaced":
      return "older-generation";
    case "not-proven":
      return "hub-refused";
    default:
      return assertNever(why);
  }
}

function failed(why: UnlockFailure): { result: "failed"; why: UnlockFailure } {
  return { result: "failed", why };
}
