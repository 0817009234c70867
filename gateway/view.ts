/**
 * What the web sees of a gateway: snapshots, a stream of changes, and the few things that a
 * terminal or an administrator may ask for. Nothing here carries a secret in the clear.
 */

import type { CardCapabilities } from "../token/capabilities/types.ts";
import type { SealedAddition } from "../token/pin/passkey.ts";

/** Where the card session stands. Times are Unix milliseconds. */
export type SessionPhase = PhaseDetail & {
  /** What the phase is about; left out: a card. "either": cards and sticks are waited for. */
  readonly token?: "stick" | "either";
};

/** What each phase tells. */
export type PhaseDetail =
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
    /** The user id is to be typed too. */
    readonly asksUserId?: true;
  }
  /** A PIN was entered while a terminal has the shared card; it is tried as soon as that ends. */
  | {
    readonly phase: "suspended";
    readonly holder: string;
    /** The terminal that has the card, as people know it. */
    readonly busy: string;
    /** When the card is back at the latest. */
    readonly until: number;
    /** The address of the terminal at which the PIN was entered. */
    readonly from: string;
    readonly asksUserId?: true;
  }
  | {
    readonly phase: "unlocking";
    readonly holder: string;
    /** It takes longer than usual. */
    readonly slow?: true;
    /** The card works once its holder touches it. */
    readonly touch?: true;
    readonly asksUserId?: true;
  }
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
  | "revoked"
  | "hub-unknown"
  | "hub-expired"
  | "hub-refused"
  /** It gives no usable answer. */
  | "unreadable-card"
  /** Neither a PIV nor an OpenPGP card. */
  | "unknown-kind";

/** What a terminal's page needs to seal a PIN to the engine of the card now in the reader. */
export interface PinTarget {
  /** Names the engine; goes into the sealing as associated data. */
  readonly engine: string;
  /** The engine's ephemeral HPKE public key, 32 bytes (X25519). */
  readonly publicKey: Uint8Array;
  /** There where a passkey may do instead. */
  readonly passkey?: PasskeyOffer;
}

/** What passkeys are good for with the token of now. */
export interface PasskeyOffer {
  /** What they are asked for: 16 bytes, base64url. */
  readonly nonce: string;
  /** One opens the profile. */
  readonly opens: boolean;
  /** The holder may add one with the PIN. */
  readonly mayAdd: boolean;
}

/** A PIN, or a passkey's answer in its place, as the page sends it: only the engine named can open it. */
export interface SealedPin {
  readonly engine: string;
  /** HPKE encapsulated key, 32 bytes. */
  readonly enc: Uint8Array;
  /** HPKE ciphertext, the user id's digest where it is asked for, the padded PIN, tag. */
  readonly ciphertext: Uint8Array;
  /** It is a passkey's answer. */
  readonly way?: "passkey";
  /** The answer of a passkey that this PIN adds, and what its holder calls it. */
  readonly adds?: SealedAddition;
}

/** What became of one PIN; each has its own message on the page. */
export type PinOutcome =
  /** `passkey`: whether the one that the PIN was to add is kept now. */
  | { readonly outcome: "up"; readonly passkey?: "added" | "not-added" }
  | { readonly outcome: "wrong-pin"; readonly triesLeft: number }
  /** Where the user id is asked for; which of the two it was isn't told. */
  | { readonly outcome: "wrong-id-or-pin" }
  /** The passkey is a good one, of another profile; so many more may be tried. */
  | { readonly outcome: "wrong-passkey"; readonly triesLeft: number }
  | { readonly outcome: "blocked" }
  /** Another PIN of this terminal waits or is tried, or too many wait. */
  | { readonly outcome: "busy" }
  /** It waited, only one try was left when its turn came, and its holder couldn't know. */
  | { readonly outcome: "not-tried"; readonly triesLeft: number }
  /** Its terminal gave up waiting. */
  | { readonly outcome: "given-up" }
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

/** The card or stick of the session: what it can do for a profile and why, and what carries that now. */
export interface CardView extends Pick<CardCapabilities, "identities" | "carriers"> {
  readonly application: "piv" | "openpgp" | "stick";
  /** Where the profile lies; left out where no genuine one was found. */
  readonly carrier?: "card" | "folder" | "hub" | "stick";
}

/** Somebody who uses the shared card, or waits for it. Times are Unix milliseconds. */
export interface SharePerson {
  /** Tells terminals apart: the hardware address, else the IP address. */
  readonly terminal: string;
  /** The terminal's name, else its address. */
  readonly label: string;
  /** "reader": its own smart-card software; "program": over the web. */
  readonly way: "reader" | "program";
  readonly since: number;
}

/** Why the card isn't lent now. */
export type ShareClosed =
  | "no-card"
  /** Its holder was not verified. */
  | "locked"
  | "expired"
  /** Its PIN is. */
  | "blocked"
  /** The gateway doesn't accept its profile. */
  | "refused"
  | "failed"
  /** What is in the gateway is no card. */
  | "stick";

/** The shared card: who has it and who waits. */
export interface ShareView {
  /** Whether it is lent now. */
  readonly open: boolean;
  /** Why not; there while it isn't. */
  readonly closed?: ShareClosed;
  /** A lease without a command for so long ends. */
  readonly idleMs: number;
  /** No lease lasts longer. */
  readonly hardMs: number;
  /** `until`: when the lease ends at the latest. */
  readonly holder?: SharePerson & { readonly until: number };
  /** In the order of their turns; at most a hundred. */
  readonly waiting: readonly SharePerson[];
  readonly waitingInAll: number;
  /** The card's answer to reset, base64url. */
  readonly atr?: string;
  /** Whom a PIN within a lease is sealed to; the key is base64url. */
  readonly pin?: { readonly engine: string; readonly publicKey: string };
}

/** Why a lease ended. */
export type LeaseEndReason =
  | "released"
  | "gave-up"
  | "idle"
  | "hard-limit"
  | "waited-too-long"
  | "revoked"
  | "not-shared"
  | "too-many-of-one"
  | "too-many"
  | "card-gone";

/** Why a lease can't even be waited for. */
export type LeaseRefused = "not-shared" | "not-allowed" | "too-many" | ShareClosed;

/** One program's lease. */
export type LeaseView =
  | {
    readonly id: string;
    readonly state: "waiting";
    /** 1 for the next in line; left out for a moment after asking. */
    readonly place?: number;
    /** Who has the card. */
    readonly holder?: string;
  }
  | {
    readonly id: string;
    readonly state: "granted";
    /** Unix milliseconds. */
    readonly until: number;
    readonly idleMs: number;
    readonly atr?: string;
  }
  | { readonly id: string; readonly state: "ended"; readonly reason: LeaseEndReason };

/** What came of one command within a lease. */
export type LeaseAnswer =
  /** The card's raw answer, or the gateway's refusal in its place: data and status word. */
  | { readonly is: "response"; readonly apdu: Uint8Array }
  | { readonly is: "fault"; readonly fault: "no-lease" | "busy" | "not-sealed-to-me" };

/** Leases for programs, by the address of the terminal that asks. */
export interface LeaseDesk {
  request(address: string): Promise<LeaseView | { readonly refused: LeaseRefused }>;
  /** Undefined: there is none of that name, or it is another terminal's. */
  lease(
    id: string,
    options: { address: string; waitMs?: number },
  ): Promise<LeaseView | undefined>;
  /** Tells each change of a lease; returns its end. */
  watch(id: string, onChange: (lease: LeaseView) => void): () => void;
  exchange(id: string, options: { address: string; apdu: Uint8Array }): Promise<LeaseAnswer>;
  verify(
    id: string,
    options: { address: string; sealed: SealedPin; reference: number },
  ): Promise<LeaseAnswer>;
  release(id: string, address: string): Promise<boolean>;
  /** Everything that this terminal holds or waits for, by whatever way. */
  giveUp(address: string): Promise<boolean>;
  /** Whose terminal this is, if it may use the card. */
  terminalAt(address: string): Promise<{ key: string; label: string } | undefined>;
  /** Takes the card from whoever has it; false when nobody does. */
  revoke(by: string): boolean;
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
  /** When they were counted, Unix milliseconds: up to seconds ago; 0 for not yet. */
  readonly countedAt: number;
  /** Unix milliseconds of the last handshake, 0 for none yet. */
  readonly lastHandshake: number;
  /** "sealed": the private key came from the profile; "on-card": it never leaves the card. */
  readonly identity: "sealed" | "on-card";
  /** How sessions come about: agreed by handshakes, or under a key put by hand. */
  readonly keys: "agreed" | "manual";
  /** What moves the packets: the engine's own WireGuard, or the kernel's. */
  readonly carrier: "userspace" | "kernel";
  readonly addresses: readonly string[];
  readonly destinations: readonly string[];
  readonly otherTraffic: "drop" | "direct";
  /** What the profile lets the inside begin, and whom it reaches by that: nobody, where `to` is empty. */
  readonly inbound: readonly { readonly rule: string; readonly to: readonly string[] }[];
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
  /** Left out while nothing is inserted, or what is inserted can't be read. */
  readonly card?: CardView;
  readonly terminals: readonly TerminalView[];
  readonly tunnel?: TunnelView;
  /** Left out where the card isn't shared. */
  readonly share?: ShareView;
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
  | { readonly type: "share"; readonly share: ShareView }
  | { readonly type: "journal"; readonly entry: JournalEntry };

/** The interface that web/ builds on; gateway/gateway.ts is the one real implementation. */
export interface GatewayView {
  status(): GatewayStatus;
  session(): SessionPhase;
  /** Undefined unless a PIN is asked for now. */
  pinTarget(): PinTarget | undefined;
  /** One at a time is tried: an answer may take until a terminal has given the card back. */
  submitPin(sealed: SealedPin, from: string): Promise<PinOutcome>;
  /** Takes back a PIN that waits; false when none of this terminal does. */
  giveUpPin(from: string): boolean;
  /** Events as they happen (sessions and journal at once, status once a second). Returns its end. */
  subscribe(listener: (event: GatewayEvent) => void): () => void;
  /** Newest first, `before` an id to page on, at most 200 entries. */
  journal(query: { before?: number; limit?: number }): JournalEntry[];
  /** Undefined where the card isn't shared. */
  share(): ShareView | undefined;
  readonly leases: LeaseDesk;
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
