/** What the gateway asks of the LAN's services, and what it reads from them. */
import type { SessionGrant } from "../switch/grant.ts";

/** A terminal as DHCP and the neighbour tables know it. */
export interface Terminal {
  readonly address: string;
  readonly mac: string;
  /** Host name from DHCP, or "". */
  readonly name: string;
  /** Unix milliseconds; undefined for a static address. */
  readonly leaseUntil?: number;
}

export interface Lan {
  /** Ends what a crashed run left behind, then starts DHCP, RA and the locked DNS. Resolves when they answer. */
  start(): Promise<void>;
  /** Starts the session's DNS; the switch's plan sends the terminals' questions to it. */
  open(grant: SessionGrant): Promise<void>;
  /** Ends the session's DNS. */
  close(): Promise<void>;
  /** Who is on the LAN now. */
  terminals(): Promise<Terminal[]>;
  /** Things that an administrator should know (a service that keeps failing), in English. */
  warnings(): string[];
  stop(): Promise<void>;
}
