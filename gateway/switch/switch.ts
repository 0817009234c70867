/** The switch on the real kernel: applies plans, keeps counts across them. */
import { forgetConnections } from "../../os/conntrack.ts";
import { type Nftables, NftablesError, openNftables } from "../../os/libnftables.ts";
import { dnsIdentity } from "../lan/identity.ts";
import type { Switch, TerminalTraffic } from "./api.ts";
import { readCounters, readTraffic } from "./counts.ts";
import type { SessionGrant } from "./grant.ts";
import { SESSION_MARK, SESSION_MARK_MASK, TABLE } from "./numbers.ts";
import { planRefresh, planRuleset, planSuspension, sessionMark } from "./plan.ts";
import type { SwitchConfig } from "./scope.ts";

const TRAFFIC_SETS = ["sent4", "sent6", "received4", "received6"] as const;

export interface SwitchOptions {
  /** Group id of the box's DNS processes; undefined where they can't have one of their own. */
  readonly dnsGroup?: number | undefined;
  readonly nftables?: Nftables;
  /** Told of what fails behind the caller's back; by default it goes to the error stream. */
  readonly onFault?: (error: unknown) => void;
}

/** Changes nothing yet: what an earlier run left in force stays until the first `apply`. */
export function createSwitch(
  config: SwitchConfig,
  options: Pick<SwitchOptions, "onFault"> = {},
): Switch & Disposable {
  return new NftablesSwitch(config, { ...options, dnsGroup: dnsIdentity()?.gid });
}

export class NftablesSwitch implements Switch, Disposable {
  readonly #config: SwitchConfig;
  readonly #dnsGroup: number | undefined;
  readonly #nftables: Nftables;
  /** Counts of the rulesets before the one in force. */
  readonly #drops = new Map<string, number>();
  readonly #traffic = new Map<string, { sent: number; received: number }>();
  readonly #onFault: (error: unknown) => void;
  #applied = false;
  /** Of the ruleset in force. */
  #number = 0;
  #grant: SessionGrant | undefined;
  #isSuspended = false;
  #forgetting: Promise<void> = Promise.resolve();

  constructor(config: SwitchConfig, options: SwitchOptions = {}) {
    this.#config = config;
    this.#dnsGroup = options.dnsGroup;
    this.#nftables = options.nftables ?? openNftables();
    this.#onFault = options.onFault ?? ((error) => console.error(error));
  }

  apply(grant: SessionGrant | undefined): void {
    const number = this.#applied ? this.#number + 1 : 0;
    const plan = this.#plan(grant, number);
    if (this.#applied) this.#leave(grant);
    this.#nftables.run(plan);
    // Of all rulesets of an earlier run, or of the one that was in force.
    if (this.#applied) this.#forget(sessionMark(this.#number));
    else this.#forget(SESSION_MARK, SESSION_MARK_MASK);
    this.#applied = true;
    this.#number = number;
    this.#grant = grant;
    this.#isSuspended = false;
  }

  suspend(isSuspended: boolean): void {
    const wanted = isSuspended && this.#grant === undefined;
    if (!this.#applied || wanted === this.#isSuspended) return;
    this.#nftables.run(planSuspension(wanted));
    this.#isSuspended = wanted;
  }

  refresh(): void {
    this.#nftables.run(planRefresh(this.#config));
  }

  drops(): Readonly<Record<string, number>> {
    const now = Object.fromEntries(this.#drops);
    if (!this.#applied) return now;
    for (const [reason, { packets }] of this.#counters()) {
      now[reason] = (now[reason] ?? 0) + packets;
    }
    return now;
  }

  terminals(): TerminalTraffic[] {
    const sums = new Map([...this.#traffic].map(([address, sum]) => [address, { ...sum }]));
    if (this.#applied) this.#addTraffic(sums);
    return [...sums].map(([address, { sent, received }]) => ({
      address,
      sentBytes: sent,
      receivedBytes: received,
    }));
  }

  ruleset(): string {
    return this.#nftables.run(`list table ${TABLE}`);
  }

  /** Lets go of the library; the ruleset stays in force. */
  [Symbol.dispose](): void {
    this.#nftables[Symbol.dispose]();
  }

  /**
   * Connections of the session before: none of them passes any more, and none shall be taken up, with
   * its old address, by the session after. Takes a while and needs no waiting for.
   */
  #forget(mark: number, mask?: number): void {
    this.#forgetting = this.#forgetting.then(() => forgetConnections(mark, mask)).catch(
      (error) => this.#onFault(error),
    );
  }

  #plan(grant: SessionGrant | undefined, number: number): string {
    return planRuleset({ config: this.#config, grant, dnsGroup: this.#dnsGroup, number });
  }

  /** Whatever is wrong with the ruleset in force, the next one must follow. */
  #leave(next: SessionGrant | undefined): void {
    try {
      // Locking cuts first (0.1 ms), then counts: an emptied chain ends in the default drop.
      if (next === undefined) {
        this.#nftables.run(`flush chain ${TABLE} outward\nflush chain ${TABLE} inward\n`);
      }
      this.#keepCounts();
    } catch (error) {
      this.#onFault(error);
    }
  }

  #keepCounts(): void {
    for (const [reason, { packets }] of this.#counters()) {
      this.#drops.set(reason, (this.#drops.get(reason) ?? 0) + packets);
    }
    this.#addTraffic(this.#traffic);
  }

  #counters() {
    return readCounters(this.#list(`counters table ${TABLE}`));
  }

  /** A table that can't be listed was taken away by somebody else: it is put back at once. */
  #list(what: string): unknown[] {
    try {
      return this.#nftables.json(`list ${what}`);
    } catch (error) {
      if (!(error instanceof NftablesError)) throw error;
      this.#nftables.run(this.#plan(this.#grant, this.#number));
      this.#onFault(new Error("The ruleset was removed by another program; it is in force again"));
      return [];
    }
  }

  #addTraffic(sums: Map<string, { sent: number; received: number }>): void {
    for (const set of TRAFFIC_SETS) {
      const direction = set.startsWith("sent") ? "sent" : "received";
      for (const [address, bytes] of readTraffic(this.#list(`set ${TABLE} ${set}`))) {
        const sum = sums.get(address) ?? { sent: 0, received: 0 };
        sum[direction] += bytes;
        sums.set(address, sum);
      }
    }
  }
}
