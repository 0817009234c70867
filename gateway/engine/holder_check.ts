/**
 * Where the holder types a user id with the PIN: whether it is the opened profile's. What a wrong one
 * had opened is wiped, and the card forgets the PIN; a card can't count such tries, so this does.
 */
import { CardGarbledError, CardRefusedError, CardSilentError } from "../../token/apdu/channel.ts";
import { equalBytes } from "../../token/constant_time.ts";
import type { CardSession } from "../../token/pcsc/types.ts";
import { userIdDigest } from "../../token/pin/user_id.ts";
import type { UnlockFailure } from "../session/events.ts";
import { freshPinStatus, type ReadyCard } from "./card.ts";
import { WRONG_ENTRIES, WRONG_ENTRY_MS } from "./limits.ts";
import type { EngineSecrets } from "./secrets.ts";
import { countWrong, type ReadyStick } from "./stick.ts";
import type { Unlocked } from "./unlock.ts";

/** What a try opened, or why it didn't. */
export type Tried = Unlocked | { readonly result: "failed"; readonly why: UnlockFailure };

/** Takes the place of what `unlock` brought: the same, or a failure for a wrong user id. */
export class HolderCheck {
  readonly #secrets: EngineSecrets;
  #wrongIds = 0;

  constructor(secrets: EngineSecrets) {
    this.#secrets = secrets;
  }

  /**
   * @param userId The digest of what was typed; wiped.
   * @throws {CardGoneError} when the card was pulled.
   */
  async check(
    tried: Tried,
    { userId, token, session }: {
      userId: Uint8Array;
      token: ReadyCard | ReadyStick;
      /** Of a card. */
      session: Pick<CardSession, "reset"> | undefined;
    },
  ): Promise<Tried> {
    if (tried.result === "failed") return tried;
    const isTheirs = equalBytes(userId, userIdDigest(tried.profile.user.id));
    userId.fill(0);
    if (isTheirs) return tried;
    tried.privateKey?.bytes.fill(0);
    tried.presharedKey?.bytes.fill(0);
    this.#secrets.forgetFileKey();
    if ("found" in token) return { result: "failed", why: countWrong(token, "wrong-id") };
    this.#wrongIds++;
    return { result: "failed", why: await this.#wrongId(token, session) };
  }

  /** Has the card forget the PIN that it took. */
  async #wrongId(
    { card }: ReadyCard,
    session: Pick<CardSession, "reset"> | undefined,
  ): Promise<UnlockFailure> {
    try {
      const pin = session && await freshPinStatus(session, card);
      if (pin?.state === "blocked") return { failure: "blocked" };
      if (pin !== undefined && this.#wrongIds < WRONG_ENTRIES) {
        return { failure: "wrong-id", triesLeft: pin.triesLeft };
      }
    } catch (error) {
      const isCards = error instanceof CardSilentError || error instanceof CardGarbledError ||
        error instanceof CardRefusedError;
      if (!isCards) throw error;
      return { failure: "failed", reason: error.message };
    }
    const reason = `${this.#wrongIds} times a wrong user id or PIN; wait, then try again`;
    return { failure: "failed", reason };
  }
}

/**
 * Resolves when the answer may be given: a wrong PIN is known sooner than a wrong id, and nobody at
 * a terminal is to tell them apart by the clock.
 * @param began As `performance.now()` has it.
 */
export async function untilAlike({ why }: { why: UnlockFailure }, began: number): Promise<void> {
  if (why.failure !== "wrong-pin" && why.failure !== "wrong-id") return;
  const left = began + WRONG_ENTRY_MS - performance.now();
  if (left > 0) await new Promise((resolve) => setTimeout(resolve, left));
}
