/**
 * Which handshake messages are looked at: MAC1 always; under load also MAC2, or a cookie goes back,
 * and the source's rate (whitepaper 5.3).
 */
import type { Context } from "./context.ts";
import { CookieChecker, type ReceivedMessage } from "./cookie.ts";
import type { Endpoint } from "./endpoint.ts";
import type { IdentityQueue } from "./identity.ts";
import { LoadMeter } from "./load.ts";
import { SourceRateLimit } from "./rate_limit.ts";

/** So many handshakes waiting for a card count as load. */
const IDENTITY_LOAD = 4;

export class Admission {
  readonly #context: Context;
  readonly #identity: IdentityQueue;
  readonly #load: LoadMeter;
  readonly #rateLimit = new SourceRateLimit();
  #checker: CookieChecker;

  constructor(context: Context, parts: { identity: IdentityQueue; loadLimit: number | undefined }) {
    this.#context = context;
    this.#identity = parts.identity;
    this.#load = new LoadMeter(parts.loadLimit);
    this.#checker = this.#newChecker();
  }

  get underLoad(): boolean {
    return this.#load.underLoad(this.#context.now);
  }

  /** The interface has another key. */
  identityChanged(): void {
    this.#checker = this.#newChecker();
  }

  admits(message: ReceivedMessage, source: Endpoint): boolean {
    const { now, drops, outside } = this.#context;
    if (this.#identity.kind === "none" || !this.#checker.checkMac1(message)) {
      drops.badMac1++;
      return false;
    }
    this.#load.count(now);
    if (this.#identity.waiting >= IDENTITY_LOAD) this.#load.mark(now);
    if (!this.#load.underLoad(now)) return true;
    if (!this.#checker.checkMac2(message, source, now)) {
      drops.badMac2++;
      this.#context.cookiesSent++;
      outside.sendMessage(source, this.#checker.createReply(message, source, now));
      return false;
    }
    if (this.#rateLimit.allow(source, now)) return true;
    drops.rateLimited++;
    return false;
  }

  #newChecker(): CookieChecker {
    const { crypto, outside } = this.#context;
    return new CookieChecker(this.#identity.publicKey, {
      crypto,
      random: (out) => outside.random(out),
    });
  }
}
