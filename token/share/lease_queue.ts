/**
 * Who may use the shared card now: requests, exchanges and the tunnel's handshakes go in with the
 * time; grants, ends, resets and the next deadline come out. At most one lease is granted at a
 * time, in the order of the requests, and the card is reset before and after each. @core
 */
import { assertNever } from "../../os/assert_never.ts";
import type {
  LeaseCommand,
  LeaseEnd,
  LeaseEvent,
  LeaseId,
  LeaseRefusal,
  OwnNeeds,
} from "./lease_events.ts";
import * as limits from "./limits.ts";

export interface LeaseLimits {
  /** A lease without an exchange for so long ends. Milliseconds. */
  readonly idleMs: number;
  /** No lease lasts longer, at most {@linkcode limits.LONGEST_HARD_LIMIT}. */
  readonly hardMs: number;
}

/** A request that waits. */
export interface Waiting {
  readonly lease: LeaseId;
  readonly terminal: string;
  readonly label: string;
  /** When it was asked, in the milliseconds of `now`. */
  readonly since: number;
}

/** A lease in force. */
export interface Holding extends Waiting {
  readonly grantedAt: number;
  readonly hardAt: number;
  /** When it ends for want of use; undefined in mid-exchange. */
  readonly idleAt: number | undefined;
}

type Stage =
  | { readonly at: "closed" }
  | { readonly at: "free" }
  /** A fresh session is wanted before the first in line gets the card. */
  | { readonly at: "rekeying"; readonly by: number; readonly waits: number }
  | { readonly at: "preparing"; readonly waiting: Waiting; readonly hardAt: number }
  | { readonly at: "lent"; readonly holding: Holding }
  | { readonly at: "restoring" }
  | { readonly at: "own" };

export class LeaseQueue {
  readonly #limits: LeaseLimits;
  #stage: Stage = { at: "closed" };
  #needs: OwnNeeds = "none";
  #open = false;
  #queue: Waiting[] = [];
  #ownWanted = false;
  /** When the session in force was made; undefined before the first. */
  #sessionAt: number | undefined;
  #out: LeaseCommand[] = [];

  /** @throws {RangeError} for limits that would let a lease outlast a session. */
  constructor({ idleMs, hardMs }: LeaseLimits) {
    if (!(idleMs > 0 && hardMs > 0 && hardMs <= limits.LONGEST_HARD_LIMIT)) {
      throw new RangeError(
        `Cannot lend a card for ${hardMs} ms (idle ${idleMs} ms): ` +
          `the longest is ${limits.LONGEST_HARD_LIMIT} ms`,
      );
    }
    this.#limits = { idleMs, hardMs };
  }

  /** Who has the card; the first moments in which it is being reset for them count too. */
  get holder(): Holding | undefined {
    switch (this.#stage.at) {
      case "lent":
        return this.#stage.holding;
      case "preparing": {
        const { waiting, hardAt } = this.#stage;
        return { ...waiting, grantedAt: waiting.since, hardAt, idleAt: undefined };
      }
      default:
        return undefined;
    }
  }

  /** Who waits, in the order of their turns. */
  get waiting(): readonly Waiting[] {
    return this.#queue;
  }

  /** Whether the card is at its own session's disposal now. */
  get isOwn(): boolean {
    const { at } = this.#stage;
    return at === "closed" || at === "free" || at === "rekeying" || at === "own";
  }

  /** Whether requests are taken. */
  get isOpen(): boolean {
    return this.#open;
  }

  /** Whether this lease is in force. */
  holds(lease: LeaseId): boolean {
    return this.#stage.at === "lent" && this.#stage.holding.lease === lease;
  }

  /** When the next `tick` is needed. */
  get deadline(): number | undefined {
    const stage = this.#stage;
    const waits = this.#queue[0] === undefined ? [] : [this.#queue[0].since + limits.LONGEST_WAIT];
    const own = stage.at === "rekeying" ? [stage.by] : stage.at === "lent"
      ? [
        stage.holding.hardAt,
        ...(stage.holding.idleAt === undefined ? [] : [stage.holding.idleAt]),
      ]
      : [];
    const all = [...waits, ...own];
    return all.length === 0 ? undefined : Math.min(...all);
  }

  /** Takes one event; returns what must be done, in order. `now`: milliseconds of a clock that never jumps. */
  handle(event: LeaseEvent, now: number): readonly LeaseCommand[] {
    this.#out = [];
    switch (event.type) {
      case "open":
        this.#open = true;
        this.#needs = event.needs;
        if (this.#stage.at === "closed") this.#stage = { at: "free" };
        break;
      case "close":
        this.#close();
        break;
      case "request":
        this.#request(event, now);
        break;
      case "leave":
        this.#leave(event.lease);
        break;
      case "exchange-began":
        this.#touch(event.lease, undefined);
        break;
      case "exchange-ended":
        this.#touch(event.lease, now + this.#limits.idleMs);
        break;
      case "prepared":
        this.#prepared(now);
        break;
      case "restored":
        this.#restored(now);
        break;
      case "session-fresh":
        this.#sessionAt = now;
        break;
      case "revoke":
        this.#endHeld("revoked");
        break;
      case "own-wanted":
        // Whoever has the card now keeps it: they wait for one lease at most, and come next.
        this.#ownWanted = true;
        break;
      case "own-done":
        this.#ownWanted = false;
        if (this.#stage.at === "own") this.#stage = this.#unlent();
        break;
      case "tick":
        this.#tick(now);
        break;
      default:
        assertNever(event);
    }
    this.#next(now);
    return this.#out;
  }

  #request(event: Extract<LeaseEvent, { type: "request" }>, now: number): void {
    const { lease, terminal, label } = event;
    const refuse = (why: LeaseRefusal) => this.#out.push({ type: "refuse", lease, why });
    if (!this.isOpen) return void refuse("not-shared");
    if (this.#queue.length >= limits.WAITING_OF_ALL) return void refuse("too-many");
    const own = this.#queue.filter((one) => one.terminal === terminal).length;
    if (own >= limits.WAITING_OF_ONE) return void refuse("too-many-of-one");
    this.#queue.push({ lease, terminal, label, since: now });
  }

  #leave(lease: LeaseId): void {
    const held = this.holder?.lease === lease;
    if (held) return this.#endHeld("released");
    const at = this.#queue.findIndex((one) => one.lease === lease);
    if (at < 0) return;
    this.#queue.splice(at, 1);
    this.#out.push({ type: "end", lease, reason: "gave-up" });
  }

  #close(): void {
    if (!this.#open) return;
    this.#open = false;
    for (const { lease } of this.#queue) {
      this.#out.push({ type: "end", lease, reason: "not-shared" });
    }
    this.#queue = [];
    this.#endHeld("not-shared");
    if (this.#stage.at === "free" || this.#stage.at === "rekeying") this.#stage = { at: "closed" };
  }

  #touch(lease: LeaseId, idleAt: number | undefined): void {
    if (this.#stage.at !== "lent" || this.#stage.holding.lease !== lease) return;
    this.#stage = { at: "lent", holding: { ...this.#stage.holding, idleAt } };
  }

  #prepared(now: number): void {
    if (this.#stage.at !== "preparing") return;
    const { waiting, hardAt } = this.#stage;
    const holding = { ...waiting, grantedAt: now, hardAt, idleAt: now + this.#limits.idleMs };
    this.#stage = { at: "lent", holding };
    this.#out.push({ type: "grant", lease: waiting.lease, hardAt });
  }

  #restored(now: number): void {
    if (this.#stage.at !== "restoring") return;
    this.#stage = this.#unlent();
    // What the tunnel would have begun meanwhile: nobody else needs the card before it.
    const isDue = this.#sessionAgeAt(now) >= limits.SESSION_LENT_UNTIL;
    if (this.#needs === "handshakes" && isDue && this.#queue.length === 0) {
      this.#out.push({ type: "rekey" });
    }
  }

  /** Ends the lease in force; the card is reset whatever its terminal did. */
  #endHeld(reason: LeaseEnd): void {
    const held = this.holder;
    if (held === undefined) return;
    this.#out.push({ type: "end", lease: held.lease, reason }, { type: "restore" });
    this.#stage = { at: "restoring" };
  }

  #tick(now: number): void {
    const late = this.#queue.filter(({ since }) => now >= since + limits.LONGEST_WAIT);
    for (const { lease } of late) {
      this.#out.push({ type: "end", lease, reason: "waited-too-long" });
    }
    if (late.length > 0) this.#queue = this.#queue.filter((one) => !late.includes(one));
    const stage = this.#stage;
    if (stage.at !== "lent") return;
    const { hardAt, idleAt } = stage.holding;
    if (now >= hardAt) return this.#endHeld("hard-limit");
    if (idleAt !== undefined && now >= idleAt) this.#endHeld("idle");
  }

  /** With the card free: the holder first, then the first in line. */
  #next(now: number): void {
    const stage = this.#stage;
    const mayPass = stage.at === "free" || stage.at === "rekeying";
    if (!mayPass && !(stage.at === "closed" && this.#ownWanted)) return;
    if (this.#ownWanted) {
      this.#stage = { at: "own" };
      this.#out.push({ type: "own-granted" });
      return;
    }
    const first = this.#queue[0];
    if (first === undefined) {
      this.#stage = { at: "free" };
      return;
    }
    const lasting = this.#lastingNow(now);
    if (lasting === undefined) return;
    this.#queue.shift();
    this.#stage = { at: "preparing", waiting: first, hardAt: now + lasting };
    this.#out.push({ type: "prepare", lease: first.lease });
  }

  /**
   * For how long the card can be lent now. Undefined: not yet, its session is renewed first, so
   * that no handshake falls due while the card is away.
   */
  #lastingNow(now: number): number | undefined {
    const { hardMs } = this.#limits;
    if (this.#needs === "none") return hardMs;
    const age = this.#sessionAgeAt(now);
    if (age + hardMs <= limits.SESSION_LENT_UNTIL) return hardMs;
    const stage = this.#stage;
    const waits = stage.at === "rekeying" ? stage.waits : 0;
    if (stage.at === "rekeying" && now < stage.by) return undefined;
    const room = Math.min(hardMs, limits.SESSION_LAST_MOMENT - age);
    if (stage.at === "rekeying" && room >= limits.SHORTEST_LEASE) return room;
    if (waits >= limits.OUTAGE_WAITS) return Math.min(hardMs, limits.OUTAGE_LEASE);
    this.#stage = { at: "rekeying", by: now + limits.REKEY_WAIT, waits: waits + 1 };
    this.#out.push({ type: "rekey" });
    return undefined;
  }

  #unlent(): Stage {
    return this.#open ? { at: "free" } : { at: "closed" };
  }

  #sessionAgeAt(now: number): number {
    return this.#sessionAt === undefined ? Infinity : now - this.#sessionAt;
  }
}
