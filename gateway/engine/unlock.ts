/** From a PIN to an opened profile: the card decides and counts; on a match its key opens the rest. */
import { CardGarbledError, CardGoneError, CardSilentError } from "../../token/apdu/channel.ts";
import { PivRefusedError } from "../../token/piv/client_types.ts";
import { openProfile } from "../../token/profile/open.ts";
import { pivIdentity } from "../../token/profile/piv_p256.ts";
import type { IssuerKey, Opened } from "../../token/profile/types.ts";
import type { UnlockFailure } from "../session/events.ts";
import type { ReadyCard } from "./card.ts";
import type { EngineSecrets } from "./secrets.ts";

export type Unlocked = Extract<Opened, { result: "ok" }>;

/**
 * Shows the PIN in `secrets` to the card once and opens the profile.
 * @throws {CardGoneError} when the card was pulled.
 */
export async function unlock(
  ready: ReadyCard,
  { issuerKeys, secrets }: { issuerKeys: readonly IssuerKey[]; secrets: EngineSecrets },
): Promise<Unlocked | { result: "failed"; why: UnlockFailure }> {
  try {
    const verified = await ready.piv.verifyPin(secrets.pin);
    if (verified.outcome === "blocked") return failed({ failure: "blocked" });
    if (verified.outcome === "wrong") {
      return failed({ failure: "wrong-pin", triesLeft: verified.triesLeft });
    }
    const { sealedTo } = ready.head;
    if (sealedTo === undefined) {
      return failed({ failure: "failed", reason: "no key of this card opens the profile" });
    }
    const opened = await openProfile({
      sealed: ready.sealed,
      head: ready.head,
      identity: pivIdentity(ready.piv, sealedTo),
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
    if (error instanceof PivRefusedError) {
      return failed({ failure: "failed", reason: error.message });
    }
    throw error;
  }
}

function failed(why: UnlockFailure): { result: "failed"; why: UnlockFailure } {
  return { result: "failed", why };
}
