/** What the gateway asks of the switch, and what it reads from it. */
import type { SessionGrant } from "./grant.ts";

/** Bytes and packets of one named counter of the ruleset. */
export interface Count {
  readonly packets: number;
  readonly bytes: number;
}

/** Traffic of one terminal, by its LAN address. */
export interface TerminalTraffic {
  readonly address: string;
  readonly sentBytes: number;
  readonly receivedBytes: number;
}

export interface Switch {
  /**
   * Puts the ruleset for this session (undefined: locked) in force, in one transaction, and forgets
   * the connections of the session before. Synchronous: when it returns, the kernel obeys it (the
   * forgetting follows some 20 ms behind).
   * @throws {Error} when the kernel refuses; the ruleset before stays in force.
   */
  apply(grant: SessionGrant | undefined): void;
  /**
   * While locked: whether terminals' connections wait instead of being refused. The next `apply` ends
   * it.
   */
  suspend(isSuspended: boolean): void;
  /** Says "the gateway lives": to be called every second while a session with direct traffic is up. */
  refresh(): void;
  /** Refused packets by reason, since the gateway started. */
  drops(): Readonly<Record<string, number>>;
  /** What was forwarded for each terminal, since the gateway started. */
  terminals(): TerminalTraffic[];
  /** The ruleset in force, as the kernel tells it. */
  ruleset(): string;
}
