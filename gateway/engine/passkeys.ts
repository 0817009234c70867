/**
 * Passkeys in the engine's hands: which are offered for a token, what one opens, and how one is
 * added by the holder's PIN. A passkey opens the sealed profile; it says nothing to a card's own key.
 */
import { openPasskey, type SealedAddition } from "../../token/pin/passkey.ts";
import type { PinOpener, Sealed } from "../../token/pin/seal.ts";
import { prfIdentity, prfStanza, prfStanzaOf } from "../../token/profile/fido2prf.ts";
import { MOST_PASSKEYS } from "../../token/profile/limits.ts";
import { openProfile } from "../../token/profile/open.ts";
import {
  formatPasskey,
  parsePasskey,
  type Passkey,
  passkeyNonce,
  passkeysIn,
} from "../../token/profile/passkeys.ts";
import { unusedName } from "../../token/profile/passkey_name.ts";
import type { IssuerKey } from "../../token/profile/types.ts";
import type { UnlockFailure } from "../session/events.ts";
import type { PasskeyOffer, ProfileFault } from "../view.ts";
import type { ReadyCard } from "./card.ts";
import { WRONG_PASSKEYS } from "./limits.ts";
import type { EngineSecrets } from "./secrets.ts";
import type { ReadyStick } from "./stick.ts";
import type { Unlocked } from "./unlock.ts";

type Token = ReadyCard | ReadyStick;

/** So many answers are remembered; after that the token must be put in again. */
const MOST_SEEN = 100;

export class Passkeys {
  readonly #secrets: EngineSecrets;
  readonly #issuerKeys: readonly IssuerKey[];
  /** Answers that were opened; each counts once. */
  readonly #seen = new Set<string>();
  #triesLeft = WRONG_PASSKEYS;
  #nonce: Uint8Array = new Uint8Array(0);
  #known: readonly Passkey[] = [];
  #cardId = "";
  #mayAdd = false;
  /** What the PRF results in `secrets` are to be added as. */
  #adds: string | undefined;

  constructor(secrets: EngineSecrets, issuerKeys: readonly IssuerKey[]) {
    this.#secrets = secrets;
    this.#issuerKeys = issuerKeys;
  }

  /**
   * What the page may offer for a token; `undefined`: nothing.
   * @param options.kept The words of those that the gateway keeps; of earlier issues they are none.
   * @param options.add Whether holders may add any at all.
   */
  offer(
    token: Token,
    options: { kept: readonly string[]; add: boolean },
  ): PasskeyOffer | undefined {
    this.#mayAdd = false;
    if (!mayStandIn(token)) return undefined;
    const { head } = token;
    const nonce = this.#nonce = passkeyNonce(head.inner);
    this.#cardId = head.cardId;
    const kept = options.kept.map((word) => parsePasskey(word, nonce))
      .filter((one) => typeof one === "object").slice(0, MOST_PASSKEYS);
    this.#known = [...passkeysIn(sealedOf(token), nonce), ...kept];
    const opens = this.#known.length > 0;
    const mayAdd = this.#mayAdd = options.add && this.#known.length < MOST_PASSKEYS;
    return opens || mayAdd ? { nonce: base64url(nonce), opens, mayAdd } : undefined;
  }

  /** Opens the profile with a passkey's answer; `undefined`: it was not sealed to this engine. */
  async unlock(
    token: Token,
    { sealed, opener }: { sealed: Sealed; opener: PinOpener },
  ): Promise<Unlocked | { result: "failed"; why: UnlockFailure } | undefined> {
    if (!mayStandIn(token) || !await this.#take(sealed, opener)) return undefined;
    const { head } = token;
    try {
      const more = this.#known.map(({ body }) => prfStanzaOf(body, this.#nonce));
      const opened = await openProfile({
        sealed: sealedOf(token),
        head,
        identity: prfIdentity(this.#secrets.prf, { nonce: this.#nonce, more }),
        secrets: this.#secrets.profile,
        issuerKeys: "found" in token ? [token.found.issuer] : this.#issuerKeys,
        onFileKey: (fileKey) => this.#secrets.keepFileKey(fileKey),
      });
      if (opened.result === "fault") return failed(this.#wrong(opened.fault));
      if (opened.profile.identity.kind === "sealed") return opened;
      opened.presharedKey?.bytes.fill(0);
      this.#secrets.forgetFileKey();
      const reason = "this profile's key is on the card, which wants its PIN";
      return failed({ failure: "failed", reason });
    } finally {
      this.#secrets.forgetPrf();
    }
  }

  /** Keeps a passkey's answer until the PIN beside it was right; false: it isn't one of now. */
  async hold(adds: SealedAddition, opener: PinOpener): Promise<boolean> {
    if (!this.#mayAdd || !await this.#take(adds, opener)) return false;
    this.#adds = adds.name;
    return true;
  }

  /**
   * The passkey that was held, as the gateway keeps it, now that the profile is open; `undefined`:
   * there is none, or it would be of no use.
   */
  added(unlocked: Unlocked): { cardId: string; passkey: string } | undefined {
    const { prf, fileKey } = this.#secrets;
    const name = this.#adds;
    try {
      if (name === undefined || unlocked.profile.identity.kind !== "sealed") return undefined;
      const { body } = prfStanza(fileKey, { nonce: this.#nonce, prf });
      const passkey = { name: unusedName(name, this.#known.map((one) => one.name)), body };
      this.#known = [...this.#known, passkey];
      return { cardId: this.#cardId, passkey: formatPasskey(passkey, this.#nonce) };
    } finally {
      this.drop();
    }
  }

  /** Forgets what was held. */
  drop(): void {
    this.#adds = undefined;
    this.#secrets.forgetPrf();
  }

  async #take(sealed: Sealed, opener: PinOpener): Promise<boolean> {
    const name = base64url(sealed.enc);
    if (this.#seen.has(name) || this.#seen.size >= MOST_SEEN) return false;
    const prf = await openPasskey(opener, sealed);
    if (prf === undefined) return false;
    this.#seen.add(name);
    this.#secrets.keepPrf(prf);
    return true;
  }

  /** Nobody else counts: at the last one this engine ends, and the next one waits a while. */
  #wrong(fault: ProfileFault): UnlockFailure {
    // "No key of mine": the container is fine, the passkey is another one.
    if (fault !== "other-card") return { failure: "refused", fault };
    this.#triesLeft -= 1;
    if (this.#triesLeft > 0) return { failure: "wrong-passkey", triesLeft: this.#triesLeft };
    const reason = `${WRONG_PASSKEYS} passkeys that don't open this profile; wait, then try again`;
    return { failure: "failed", reason };
  }
}

/** A hub has a say in each opening of a split profile, and an id is asked of its holder: neither is gone past. */
function mayStandIn({ head, asksUserId }: Token): boolean {
  return head.split === undefined && !asksUserId;
}

function sealedOf(token: Token): Uint8Array {
  return "found" in token ? token.found.profile : token.sealed;
}

function failed(why: UnlockFailure): { result: "failed"; why: UnlockFailure } {
  return { result: "failed", why };
}

function base64url(bytes: Uint8Array): string {
  return bytes.toBase64({ alphabet: "base64url", omitPadding: true });
}
