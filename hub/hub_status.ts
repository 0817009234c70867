/** What a hub tells of itself: no secret, but names and addresses of its clients. */
import type { DropCounters, PublicKey } from "../tunnel/api.ts";

export interface HubStatus {
  readonly interface: string;
  readonly publicKey: PublicKey | undefined;
  readonly listenPort: number;
  /** Unix milliseconds. */
  readonly startedAt: number;
  readonly clients: readonly ClientStatus[];
  /** Packets that the ruleset let pass and didn't, since it was last replaced. */
  readonly packets: {
    readonly inward: number;
    readonly outward: number;
    /** Of connections that the inside began. */
    readonly begun: number;
    /** Begun towards a client of whom nobody knows where it is: told so. */
    readonly unreachable: number;
    readonly dropped: number;
  };
  /** Packets that the tunnel dropped, by reason. */
  readonly drops: DropCounters;
  /** Clients of the file whose profile its issuer took back: they are no peers. */
  readonly revoked?: readonly string[];
  /** Sealed profiles of cards that have no room: what gateways were told. */
  readonly profiles?: { readonly answers: Readonly<Record<string, number>> };
  /** Halves of split profiles: how many there are, and what those who asked were told. */
  readonly shares?: {
    readonly shares: number;
    readonly answers: Readonly<Record<string, number>>;
  };
}

export interface ClientStatus {
  readonly name: string;
  readonly publicKey: PublicKey;
  readonly addresses: readonly string[];
  readonly networks: readonly string[];
  /** What the inside may begin towards it. */
  readonly inbound: readonly string[];
  /** Whether its keys are agreed by handshakes, or put by hand. */
  readonly keys: "agreed" | "manual";
  /** Where it last spoke from. */
  readonly endpoint: string | undefined;
  /** Whether it has a session now. */
  readonly connected: boolean;
  /** Unix milliseconds, 0 for never. */
  readonly lastHandshake: number;
  readonly receivedBytes: number;
  readonly sentBytes: number;
}
