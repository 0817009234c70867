/**
 * The engine's lending of its card: the queue's clock and timers, and the exchanges of the terminal
 * that holds the lease, each of them judged first. Commands and answers pass through here and are
 * kept nowhere.
 */
import { assertNever } from "../../os/assert_never.ts";
import type { CardSession } from "../../token/pcsc/types.ts";
import {
  ApduPolicy,
  LeaseAudit,
  type LeaseWay,
  type SharedApplication,
} from "../../token/share/apdu_policy.ts";
import type {
  LeaseCommand,
  LeaseEnd,
  LeaseEvent,
  LeaseId,
  LeaseRefusal,
  OwnNeeds,
} from "../../token/share/lease_events.ts";
import { type Holding, LeaseQueue, type Waiting } from "../../token/share/lease_queue.ts";
import { JudgedExchange } from "./judged_exchange.ts";
import type { ShareStart } from "./share_messages.ts";

/** How often those who wait are told their places at most, in milliseconds. */
const TELL_MS = 100;

/** Whoever asked for a lease. */
export interface LeaseClient {
  refused(why: LeaseRefusal): void;
  /** 1 for the next in line. */
  place(place: number, holder: string): void;
  granted(lastsMs: number): void;
  ended(reason: LeaseEnd): void;
}

export interface LeaseTerminal {
  /** Tells terminals apart. */
  readonly key: string;
  /** What people know it by. */
  readonly label: string;
}

/** What came of one command. */
export type Exchanged =
  | { readonly is: "response"; readonly apdu: Uint8Array }
  | { readonly is: "fault"; readonly fault: "no-lease" | "busy" };

export interface LeaseReport {
  readonly terminal: LeaseTerminal;
  readonly way: LeaseWay;
  readonly waitedMs: number;
  /** There once the lease is over. */
  readonly over?: {
    readonly reason: LeaseEnd;
    readonly heldMs: number;
    readonly commands: Record<string, number>;
    readonly refused: Record<string, number>;
    readonly wrongPins: number;
  };
}

export interface SharingParts {
  readonly share: ShareStart;
  readonly card: CardSession;
  readonly applications: readonly SharedApplication[];
  /** Renews the tunnel's session. */
  readonly rekey: () => void;
  /** Brings the session's own state back after a lease; `wrongPins` were entered in it. */
  readonly restore: (wrongPins: number) => Promise<void>;
  readonly report: (report: LeaseReport) => void;
  readonly onChange: () => void;
  /** The card is gone or broken. */
  readonly fail: (error: unknown) => void;
}

interface Entry {
  readonly client: LeaseClient;
  readonly terminal: LeaseTerminal;
  readonly way: LeaseWay;
  /** Made at the grant: what must be protected may have changed since the request. */
  policy: ApduPolicy;
  readonly audit: LeaseAudit;
  readonly askedAt: number;
  grantedAt: number | undefined;
  isBusy: boolean;
  wrongPins: number;
  toldPlace: string;
}

export interface ShareSituation {
  readonly open: boolean;
  readonly holder?: (Holding & { readonly way: LeaseWay }) | undefined;
  readonly waiting: readonly (Waiting & { readonly way: LeaseWay })[];
}

export class Sharing {
  readonly #parts: SharingParts;
  readonly #queue: LeaseQueue;
  readonly #judged: JudgedExchange;
  readonly #entries = new Map<LeaseId, Entry>();
  #protectedKeys: readonly number[] = [];
  #nextLease = 1;
  /** Of the lease that ended last. */
  #wrongPinsToRestore = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #telling: ReturnType<typeof setTimeout> | undefined;
  #own: ((outcome: "granted" | "given-up") => void) | undefined;

  constructor(parts: SharingParts) {
    this.#parts = parts;
    this.#judged = new JudgedExchange(parts.card);
    this.#queue = new LeaseQueue({ idleMs: parts.share.idleMs, hardMs: parts.share.hardMs });
  }

  /** Lends from now on, never for use of `protectedKeys`. */
  open(needs: OwnNeeds, { protectedKeys }: { protectedKeys: readonly number[] }): void {
    this.#protectedKeys = protectedKeys;
    this.#on({ type: "open", needs });
  }

  /** Whether the card's own session may use it now. */
  get isOwn(): boolean {
    return this.#queue.isOwn;
  }

  get idleMs(): number {
    return this.#parts.share.idleMs;
  }

  situation(): ShareSituation {
    const { holder, waiting } = this.#queue;
    const withWay = <T extends Waiting>(one: T) => ({
      ...one,
      way: this.#entries.get(one.lease)?.way ?? "reader" as const,
    });
    return {
      open: this.#queue.isOpen,
      holder: holder === undefined ? undefined : withWay(holder),
      waiting: waiting.map(withWay),
    };
  }

  /** Waits for the end of the lease in force; then the card is the session's, until `ownDone`. */
  ownWanted(): Promise<"granted" | "given-up"> {
    return new Promise((resolve) => {
      this.#own = resolve;
      this.#on({ type: "own-wanted" });
    });
  }

  /** The session needs the card no more, or gives up waiting for it. */
  ownDone(): void {
    this.#on({ type: "own-done" });
    this.#own?.("given-up");
    this.#own = undefined;
  }

  /** A handshake that this side began has ended well. */
  sessionFresh(): void {
    this.#on({ type: "session-fresh" });
  }

  request(client: LeaseClient, { terminal, way }: { terminal: LeaseTerminal; way: LeaseWay }) {
    const lease = this.#nextLease++ as LeaseId;
    this.#entries.set(lease, {
      ...{ client, terminal, way, askedAt: performance.now() },
      audit: new LeaseAudit(this.#parts.applications),
      policy: this.#policyFor(way),
      ...{ grantedAt: undefined, isBusy: false, wrongPins: 0, toldPlace: "" },
    });
    this.#on({ type: "request", lease, terminal: terminal.key, label: terminal.label });
    return lease;
  }

  leave(lease: LeaseId): void {
    this.#on({ type: "leave", lease });
  }

  /** Takes from a terminal all that it holds or waits for. */
  terminalLeaves(terminal: string): void {
    const theirs = [...this.#entries].filter(([, entry]) => entry.terminal.key === terminal);
    // Those who wait first: nobody's second request is granted on the way.
    for (const [lease] of theirs.toReversed()) this.leave(lease);
  }

  revoke(): void {
    this.#on({ type: "revoke" });
  }

  /** Resets the card within a lease. */
  async reset(lease: LeaseId): Promise<boolean> {
    const entry = this.#held(lease);
    if (entry === undefined || entry.isBusy) return false;
    await this.#busy(lease, entry, async () => {
      await this.#parts.card.reset();
      entry.policy.reset();
    });
    return true;
  }

  /**
   * One command of whoever holds the lease. `raw` is wiped. `sealed`: its PIN came sealed to this
   * engine, so that a VERIFY may come by a way on which others may not.
   */
  async exchange(
    lease: LeaseId,
    raw: Uint8Array,
    { sealed = false } = {},
  ): Promise<Exchanged> {
    const entry = this.#held(lease);
    if (entry === undefined) return { is: "fault", fault: "no-lease" };
    if (entry.isBusy) return { is: "fault", fault: "busy" };
    try {
      const apdu = await this.#busy(lease, entry, () => this.#judged.run(entry, raw, { sealed }));
      // Nobody gets the answer to a command of a lease that has ended.
      if (this.#queue.holds(lease)) return { is: "response", apdu };
      apdu.fill(0);
      return { is: "fault", fault: "no-lease" };
    } finally {
      raw.fill(0);
    }
  }

  async #busy<T>(lease: LeaseId, entry: Entry, work: () => Promise<T>): Promise<T> {
    entry.isBusy = true;
    this.#on({ type: "exchange-began", lease });
    try {
      return await work();
    } catch (error) {
      this.#parts.fail(error);
      throw error;
    } finally {
      entry.isBusy = false;
      this.#on({ type: "exchange-ended", lease });
    }
  }

  #held(lease: LeaseId): Entry | undefined {
    return this.#queue.holds(lease) ? this.#entries.get(lease) : undefined;
  }

  #on(event: LeaseEvent): void {
    for (const command of this.#queue.handle(event, performance.now())) this.#obey(command);
    this.#arm();
    this.#tellSoon();
  }

  #obey(command: LeaseCommand): void {
    switch (command.type) {
      case "refuse":
        this.#entries.get(command.lease)?.client.refused(command.why);
        this.#entries.delete(command.lease);
        return;
      case "rekey":
        return this.#parts.rekey();
      case "prepare":
        return this.#do(async () => {
          await this.#parts.card.reset();
          this.#on({ type: "prepared" });
        });
      case "grant":
        return this.#granted(command.lease, command.hardAt);
      case "end":
        return this.#ended(command.lease, command.reason);
      case "restore":
        return this.#do(async () => {
          await this.#parts.card.reset();
          await this.#parts.restore(this.#wrongPinsToRestore);
          this.#on({ type: "restored" });
        });
      case "own-granted":
        this.#own?.("granted");
        this.#own = undefined;
        return;
      default:
        return assertNever(command);
    }
  }

  #granted(lease: LeaseId, hardAt: number): void {
    const entry = this.#entries.get(lease);
    if (entry === undefined) return;
    const now = performance.now();
    entry.grantedAt = now;
    entry.policy = this.#policyFor(entry.way);
    this.#parts.report(this.#reportOf(entry));
    entry.client.granted(Math.max(0, Math.round(hardAt - now)));
  }

  #policyFor(way: LeaseWay): ApduPolicy {
    const { share: { allow }, applications } = this.#parts;
    return new ApduPolicy({ way, allow, applications, protectedKeys: this.#protectedKeys });
  }

  #ended(lease: LeaseId, reason: LeaseEnd): void {
    const entry = this.#entries.get(lease);
    if (entry === undefined) return;
    this.#entries.delete(lease);
    if (entry.grantedAt !== undefined) {
      this.#wrongPinsToRestore = entry.wrongPins;
      this.#parts.report({
        ...this.#reportOf(entry),
        over: {
          reason,
          heldMs: Math.round(performance.now() - entry.grantedAt),
          commands: entry.audit.commands,
          refused: entry.audit.refusals,
          wrongPins: entry.wrongPins,
        },
      });
    }
    entry.client.ended(reason);
  }

  #reportOf({ terminal, way, askedAt, grantedAt }: Entry): LeaseReport {
    return { terminal, way, waitedMs: Math.round((grantedAt ?? askedAt) - askedAt) };
  }

  #do(work: () => Promise<void>): void {
    work().catch((error: unknown) => this.#parts.fail(error));
  }

  #arm(): void {
    clearTimeout(this.#timer);
    const { deadline } = this.#queue;
    if (deadline === undefined) return;
    const delay = Math.max(0, Math.ceil(deadline - performance.now()));
    this.#timer = setTimeout(() => this.#on({ type: "tick" }), delay);
  }

  #tellSoon(): void {
    this.#telling ??= setTimeout(() => {
      this.#telling = undefined;
      const holder = this.#queue.holder?.label ?? "";
      for (const [at, { lease }] of this.#queue.waiting.entries()) {
        const entry = this.#entries.get(lease);
        const said = `${at + 1} ${holder}`;
        if (entry === undefined || entry.toldPlace === said) continue;
        entry.toldPlace = said;
        entry.client.place(at + 1, holder);
      }
      this.#parts.onChange();
    }, TELL_MS);
  }
}
