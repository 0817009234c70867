/** Who is signed in to the panel, as a table with `now` passed in. @core */

declare const sessionId: unique symbol;
/** Names one sign-in; whoever has it (and our signature on it) is signed in. */
export type SessionId = string & { readonly [sessionId]: true };

/** Ends a sign-in that was not used for so long. */
export const IDLE_MS = 30 * 60_000;
/** Ends every sign-in. */
export const LIFETIME_MS = 12 * 60 * 60_000;
const MAX_SESSIONS = 64;

/** Who is signed in, by idle and absolute lifetime; times are Unix milliseconds. */
export class SessionTable {
  readonly #sessions = new Map<SessionId, { readonly since: number; used: number }>();

  /** Adds a sign-in; past {@link MAX_SESSIONS} the one unused for longest ends. */
  add(id: SessionId, now: number): void {
    this.#sweep(now);
    this.#sessions.set(id, { since: now, used: now });
    if (this.#sessions.size <= MAX_SESSIONS) return;
    const [oldest] = [...this.#sessions].sort(([, a], [, b]) => a.used - b.used);
    if (oldest !== undefined) this.#sessions.delete(oldest[0]);
  }

  /** True when signed in; starts the idle time anew. */
  use(id: string, now: number): boolean {
    if (!this.isLive(id, now)) return false;
    const session = this.#sessions.get(id as SessionId);
    if (session !== undefined) session.used = now;
    return true;
  }

  /** True when signed in; looking is not using. */
  isLive(id: string, now: number): boolean {
    const session = this.#sessions.get(id as SessionId);
    return session !== undefined && now - session.used < IDLE_MS &&
      now - session.since < LIFETIME_MS;
  }

  end(id: string): void {
    this.#sessions.delete(id as SessionId);
  }

  #sweep(now: number): void {
    for (const id of this.#sessions.keys()) if (!this.isLive(id, now)) this.#sessions.delete(id);
  }
}
