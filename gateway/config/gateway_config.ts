/** The gateway's configuration as the rest of the gateway sees it: checked, defaults filled in. */
export interface GatewayConfig {
  readonly name: string;
  /** Folder for what outlives a restart: store, certificates, leases. */
  readonly state: string;
  /** Folder for what doesn't: process ids, the instance lock, generated dnsmasq files. */
  readonly run: string;
  readonly lan: {
    readonly interface: string;
    /** "192.168.80.1/24" */
    readonly address: string;
    /** "fd80::1/64" */
    readonly address6?: string;
    readonly dhcp?: {
      readonly from: string;
      readonly to: string;
      /** As dnsmasq writes it: "12h", "45m", "3600". */
      readonly lease: string;
    };
  };
  readonly internet: {
    readonly interface: string;
    /** Resolvers for names that may go direct. */
    readonly dns: readonly string[];
  };
  /** Undefined: every reader. */
  readonly reader?: { readonly name: string };
  /** Issuers' Ed25519 public keys, 32 bytes each. */
  readonly token: { readonly issuers: readonly Uint8Array[] };
  readonly tunnel: {
    readonly interface: string;
    /** "auto": the kernel's WireGuard where it is there and the private key is in the profile. */
    readonly kernel: "auto" | "never";
  };
  readonly panel: { readonly host: string; readonly port: number };
  readonly portal: { readonly httpPort: number; readonly httpsPort: number };
}
