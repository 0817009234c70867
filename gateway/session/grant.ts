/** What an unlocked token lets terminals do: the profile's settings without any key. */
export interface Grant {
  readonly holder: string;
  readonly cardId: string;
  readonly generation: number;
  /** Unix milliseconds. */
  readonly expiresAt: number;
  /** The tunnel's network interface, as the engine made it. */
  readonly interface: string;
  readonly identity: "sealed" | "on-card";
  /** Sessions come about under a key put by hand; left out: by handshakes. */
  readonly keys?: "manual";
  /** The tunnel's own addresses with prefix lengths: "10.77.0.2/32". */
  readonly addresses: readonly string[];
  readonly mtu: number;
  /** Resolvers behind the tunnel for the profile's domains. */
  readonly dns: readonly string[];
  /** Destination networks in CIDR form. */
  readonly networks: readonly string[];
  /** Destination domains; each covers its subdomains. */
  readonly domains: readonly string[];
  /** What happens to traffic for anywhere else. */
  readonly otherTraffic: "drop" | "direct";
  /** What the inside may begin, as far as the gateway leads it anywhere; left out: nothing. */
  readonly inbound?: readonly string[];
  /** There where the inside may begin something: the server may then speak first. */
  readonly listening?: {
    /** UDP port of the tunnel. */
    readonly port: number;
    /** The server's addresses, without ports. */
    readonly peers: readonly string[];
  };
  /** The server's endpoints as "host:port". */
  readonly endpoints: readonly string[];
}
