import type { Context, MiddlewareHandler } from "hono";
import { deleteCookie, getSignedCookie, setSignedCookie } from "hono/cookie";
import { toBase64url } from "../../shared/base64url.ts";
import type { PeerEnv } from "../../shared/peer.ts";
import { LIFETIME_MS, type SessionId, SessionTable } from "./sessions.ts";

/** Sent as `__Host-session`: only by this host, over HTTPS, for every path, unseen by scripts. */
const COOKIE = "session";

/** Knows who is signed in, by a signed cookie that names an entry of our own table. */
export class Gate {
  readonly #sessions = new SessionTable();
  readonly #key: Uint8Array<ArrayBuffer>;
  readonly #now: () => number;

  constructor(key: Uint8Array, now: () => number) {
    this.#key = new Uint8Array(key);
    this.#now = now;
  }

  async signIn(c: Context<PeerEnv>): Promise<void> {
    const id = toBase64url(crypto.getRandomValues(new Uint8Array(32))) as SessionId;
    this.#sessions.add(id, this.#now());
    await setSignedCookie(c, COOKIE, id, this.#key, {
      prefix: "host",
      path: "/",
      secure: true,
      httpOnly: true,
      sameSite: "Strict",
      maxAge: LIFETIME_MS / 1000,
    });
  }

  async signOut(c: Context<PeerEnv>): Promise<void> {
    const id = await this.#idOf(c);
    if (id !== undefined) this.#sessions.end(id);
    deleteCookie(c, COOKIE, { prefix: "host", path: "/", secure: true });
  }

  /** True for a request of someone signed in; counts as use. */
  async admits(c: Context<PeerEnv>): Promise<boolean> {
    const id = await this.#idOf(c);
    return id !== undefined && this.#sessions.use(id, this.#now());
  }

  /** Tells, again and again and without counting as use, whether this sign-in still holds. */
  async watch(c: Context<PeerEnv>): Promise<() => boolean> {
    const id = await this.#idOf(c);
    return () => id !== undefined && this.#sessions.isLive(id, this.#now());
  }

  /** For APIs: 401 to who is not signed in. */
  middleware(): MiddlewareHandler<PeerEnv> {
    return async (c, next) => {
      if (await this.admits(c)) return await next();
      return c.json({ error: "Cannot answer: sign in first" }, 401);
    };
  }

  async #idOf(c: Context<PeerEnv>): Promise<string | undefined> {
    const id = await getSignedCookie(c, this.#key, COOKIE, "host");
    return id === false ? undefined : id; // false: the signature is not ours
  }
}
