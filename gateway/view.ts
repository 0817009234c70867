/**
 * What the web sees of a gateway: snapshots, a stream of changes, and the few things that a
 * terminal or an administrator may ask for. Nothing here carries a secret in the clear.
 */

/** Where the card session stands. Times are Unix milliseconds. */
export type SessionPhase =
  | { readonly phase: "no-reader" }
  | { readonly phase: "no-card" }
  | { readonly phase: "reading" }
  | { readonly phase: "expired"; readonly expiredAt: number; readonly holder: string }
  | {
    readonly phase: "pin-asked";
    readonly holder: string;
    readonly triesLeft: number;
    /** Set after a wrong PIN, so that the page can say so. */
    readonly wrong: boolean;
  }
  | { readonly phase: "unlocking"; readonly holder: string }
  | { readonly phase: "blocked"; readonly holder: string }
  | { readonly phase: "refused"; readonly fault: ProfileFault }
  | {
    readonly phase: "up";
    readonly holder: string;
    readonly since: number;
    readonly expiresAt: number;
  }
  | { readonly phase: "failed"; readonly reason: string };

/** Why a profile was not taken; each has its own message. */
export type ProfileFault =
  | "none-on-card"
  | "damaged"
  | "forged"
  | "other-card"
  | "older-generation"
  | "newer-version"
  | "unreadable-card"
  | "not-a-piv-card";

/** What a terminal's page needs to seal a PIN to the engine of the card now in the reader. */
export interface PinTarget {
  /** Names the engine; goes into the sealing as associated data. */
  readonly engine: string;
  /** The engine's ephemeral HPKE public key, 32 bytes (X25519). */
  readonly publicKey: Uint8Array;
}

/** A PIN as the page sends it: only the engine named can open it. */
export interface SealedPin {
  readonly engine: string;
  /** HPKE encapsulated key, 32 bytes. */
  readonly enc: Uint8Array;
  /** HPKE ciphertext: PIN and 16-byte tag, at most 80 bytes. */
  readonly ciphertext: Uint8Array;
}

/** What became of one PIN; each has its own message on the page. */
export type PinOutcome =
  | { readonly outcome: "up" }
  | { readonly outcome: "wrong-pin"; readonly triesLeft: number }
  | { readonly outcome: "blocked" }
  | { readonly outcome: "busy" }
  | { readonly outcome: "not-asked" }
  | { readonly outcome: "stale" }
  | { readonly outcome: "refused"; readonly fault: ProfileFault }
  | { readonly outcome: "card-gone" }
  | { readonly outcome: "failed"; readonly reason: string };

/** A card reader and what is in it. */
export interface ReaderView {
  readonly name: string;
  readonly card: "absent" | "present" | "mute";
}

/** A device on the LAN. */
export interface TerminalView {
  /** IPv4 or IPv6 address on the LAN. */
  readonly address: string;
  readonly mac: string;
  /** Host name from DHCP, or "". */
  readonly name: string;
  /** Unix milliseconds; undefined for a static address. */
  readonly leaseUntil?: number;
  /** Bytes forwarded from and to this terminal since the gateway started. */
  readonly sentBytes: number;
  readonly receivedBytes: number;
}

/** The tunnel of the session that is up. */
export interface TunnelView {
  readonly interface: string;
  /** The peer's endpoint as "192.0.2.1:51820" or "[2001:db8::1]:51820". */
  readonly endpoint: string;
  readonly sentBytes: number;
  readonly receivedBytes: number;
  /** Unix milliseconds of the last handshake, 0 for none yet. */
  readonly lastHandshake: number;
  /** "sealed": the private key came from the profile; "on-card": it never leaves the card. */
  readonly identity: "sealed" | "on-card";
  /** What moves the packets: the engine's own WireGuard, or the kernel's. */
  readonly carrier: "userspace" | "kernel";
  readonly addresses: readonly string[];
  readonly destinations: readonly string[];
  readonly otherTraffic: "drop" | "direct";
}

/** Packets that the switch dropped since the gateway started, by reason. */
export type DropCounts = Readonly<Record<string, number>>;

/** Everything the panel shows, at one moment. */
export interface GatewayStatus {
  readonly name: string;
  readonly version: string;
  /** Unix milliseconds. */
  readonly now: number;
  readonly startedAt: number;
  readonly readers: readonly ReaderView[];
  readonly session: SessionPhase;
  readonly terminals: readonly TerminalView[];
  readonly tunnel?: TunnelView;
  readonly drops: DropCounts;
  /** Things that an administrator should know now (disk full, reader missing…), in English. */
  readonly warnings: readonly string[];
}

/** How much an entry of the journal matters. */
export type JournalLevel = "info" | "warning" | "error";

/** Something that happened, kept across restarts. */
export interface JournalEntry {
  readonly id: number;
  /** Unix milliseconds. */
  readonly at: number;
  readonly level: JournalLevel;
  /** A stable word for programs and translations: "card-inserted", "session-up"… */
  readonly event: string;
  /** Details without secrets, for people. */
  readonly detail: Readonly<Record<string, string | number>>;
}

/** What `subscribe` brings; each carries the whole of what changed. */
export type GatewayEvent =
  | { readonly type: "session"; readonly session: SessionPhase }
  | { readonly type: "status"; readonly status: GatewayStatus }
  | { readonly type: "journal"; readonly entry: JournalEntry };

/** The interface that web/ builds on; gateway/gateway.ts is the one real implementation. */
export interface GatewayView {
  status(): GatewayStatus;
  session(): SessionPhase;
  /** Undefined unless a PIN is asked for now. */
  pinTarget(): PinTarget | undefined;
  submitPin(sealed: SealedPin, from: string): Promise<PinOutcome>;
  /** Events as they happen (sessions and journal at once, status once a second). Returns its end. */
  subscribe(listener: (event: GatewayEvent) => void): () => void;
  /** Newest first, `before` an id to page on, at most 200 entries. */
  journal(query: { before?: number; limit?: number }): JournalEntry[];
  /** Ends the session as if the card had been pulled. */
  lock(by: string): Promise<void>;
  /** True when this is the administrator's password; bounded in rate by the caller. */
  checkAdminPassword(password: string): Promise<boolean>;
  /** Key for signing session cookies, 32 bytes; a box secret. */
  cookieKey(): Uint8Array;
  /** The nftables ruleset now in force, as text, for the panel. */
  ruleset(): Promise<string>;
  /** Writes to the journal on behalf of the web (sign-in, sign-out, refused sign-in). */
  record(level: JournalLevel, event: string, detail: Record<string, string | number>): void;
}
