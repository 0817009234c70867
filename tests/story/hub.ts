/** What the story needs of a hub, whoever plays it. */
export interface HubClient {
  /** Base64. */
  readonly publicKey: string;
  readonly presharedKey?: string;
  /** Its own addresses in the tunnel, with prefix lengths. */
  readonly addresses: readonly string[];
  /** What the office may begin towards it; the stock hub asks nobody. */
  readonly inbound?: readonly string[];
}

export interface Hub {
  readonly kind: "ours" | "stock";
  /** Base64. */
  readonly publicKey: string;
  /** Where the hub believes a client to be: "192.0.2.1:51820"; undefined before it spoke. */
  endpointOf(clientPublicKey: string): Promise<string | undefined>;
  /** How many packets it dropped that no peer sends; undefined when it doesn't count them. */
  malformed(): Promise<number | undefined>;
  /** Ends it, changes its configuration and starts it again; the stock one has no such file. */
  restart?(change: (configuration: string) => string): Promise<void>;
  stop(): Promise<void>;
}
