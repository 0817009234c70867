/** What an unlocked card lets the terminals reach: all that the switch, the routes and the DNS need to know of a session. */
export interface SessionGrant {
  /** The tunnel's interface, as in the configuration. */
  readonly tunnelInterface: string;
  /** UDP port on which the tunnel listens, when it is known: the peer may speak first. */
  readonly tunnelPort?: number;
  /** The box's own addresses in the tunnel: "10.8.0.2/32", "fd08::2". The first of each family is what terminals are seen as. */
  readonly addresses: readonly string[];
  /** Networks and hosts that are reached through the tunnel: "10.0.0.0/8", "fd00:1::/32", "192.0.2.7". */
  readonly destinations: readonly string[];
  /** Domains (with all that is under them) whose addresses are reached through the tunnel. */
  readonly domains: readonly string[];
  /** Resolvers behind the tunnel for `domains`; for every name when `domains` is empty. */
  readonly dns: readonly string[];
  /** What happens to everything else. */
  readonly otherTraffic: "drop" | "direct";
}
