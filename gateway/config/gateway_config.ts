import type { InstructionGroup } from "../../token/share/instructions.ts";

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
  /** USB sticks that count as tokens: "usb" for every port, or devices' paths. Left out: none. */
  readonly stick?: { readonly devices: readonly string[] };
  /** Issuers' Ed25519 public keys, 32 bytes each. */
  readonly token: {
    readonly issuers: readonly Uint8Array[];
    /** Whoever unlocks types the user id too, also where the profile doesn't ask for it. */
    readonly ask_user_id: boolean;
    /** Files of signed lists of what the issuers took back, one for each issuer. */
    readonly revocations: readonly string[];
    /** Folder of sealed profiles whose cards have no room. */
    readonly profiles?: string;
    /** A hub that keeps such profiles. */
    readonly hub_profiles?: { readonly hub: string; readonly key_file: string };
  };
  readonly tunnel: {
    readonly interface: string;
    /** "auto": the kernel's WireGuard where it is there and the private key is in the profile. */
    readonly kernel: "auto" | "never";
    /** UDP port for the tunnel's packets; left out: the system chooses. */
    readonly listenPort?: number;
  };
  /** What may be begun through the tunnel, as far as the profile allows it too; left out: nothing. */
  readonly inbound?: InboundConfig;
  /** How terminals may use the card in the reader; left out: they can't. */
  readonly share?: ShareConfig;
  /** Passkeys in place of PINs and passwords; left out: none. */
  readonly passkeys?: {
    /** The portal's name, to which they are bound. */
    readonly name: string;
    /** Whether holders may add their own. */
    readonly add: boolean;
  };
  readonly panel: { readonly host: string; readonly port: number };
  readonly portal: { readonly httpPort: number; readonly httpsPort: number };
}

export interface InboundConfig {
  /** Whether the box answers pings to its address in the tunnel. */
  readonly ping: boolean;
  readonly forward: readonly InboundForward[];
}

/** A port of the tunnel's address that leads to a terminal; one for each family. */
export interface InboundForward {
  readonly protocol: "tcp" | "udp";
  readonly port: number;
  /** The terminal's address on the LAN. */
  readonly terminal: string;
  readonly terminalPort: number;
  /** DHCP gives the terminal with this hardware address that address, always. */
  readonly mac?: string;
}

export interface ShareConfig {
  /** MAC or IP addresses in lower case, or "*" for every terminal of the LAN. */
  readonly terminals: readonly string[];
  /** Where terminals' readers dial in; left out: programs alone use the card. */
  readonly readerPort?: number;
  readonly idleMs: number;
  readonly hardMs: number;
  readonly beforeUnlock: boolean;
  readonly pin: "keep" | "ask";
  /** Groups of instructions that terminals may use beyond reading and signing. */
  readonly allow: readonly InstructionGroup[];
}
