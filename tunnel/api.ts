/**
 * The public types of a tunnel: what the gateway's engine, the hub and `tunnel IFNAME` say to a
 * WireGuard device and hear from it. No secret is in any of these types: keys are named by the
 * native memory where they lie.
 */
import type { CryptoName } from "./protocol/crypto.ts";

/** A WireGuard public key: 32 bytes in base64, as `wg` prints them (44 characters). */
export type PublicKey = string & { readonly __publicKey: unique symbol };

/** 32 secret bytes in native memory. The caller keeps them there until the tunnel is closed or the key replaced. */
export interface NativeKey {
  readonly address: bigint;
  readonly length: 32;
}

/** A region of native memory, preferably locked, in which the tunnel keeps its session keys. */
export interface NativeRegion {
  readonly address: bigint;
  readonly length: number;
}

/** The interface's private key lies in this process. It is used in place. */
export interface LocalIdentity {
  readonly kind: "local";
  readonly privateKey: NativeKey;
}

/** The interface's private key is elsewhere (on a card); only Diffie-Hellman results come here. */
export interface RemoteIdentity {
  readonly kind: "remote";
  readonly publicKey: PublicKey;
  /**
   * One X25519 with the private key: writes the 32 bytes of the result to `into`, which is a view
   * of native memory that is wiped after use. May take long; rejects if it can't be done.
   * Never called more than `concurrency` times at once.
   */
  dh(peerPublicKey: Uint8Array, into: Uint8Array): Promise<void>;
  /** How many `dh` calls may be under way at once (default 1). */
  readonly concurrency?: number;
}

/** Where the private key of an interface is. */
export type Identity = LocalIdentity | RemoteIdentity;

/** A change to one peer, as the cross-platform configuration protocol has it. */
export interface PeerConfig {
  readonly publicKey: PublicKey;
  /** Remove this peer; everything else in this entry is ignored. */
  readonly remove?: boolean;
  /** Change the peer only if it is already there. */
  readonly updateOnly?: boolean;
  /** `"none"` takes it away. A change is used by the next handshake; the live session goes on. */
  readonly presharedKey?: NativeKey | "none";
  /**
   * A key that both sides were given by hand: there are no handshakes with this peer then, and the
   * first packet waits for no answer. Not with an identity on a card, nor in the kernel. Another key,
   * or `"none"`, ends the peer's sessions; the same one again changes nothing.
   */
  readonly manualKey?: NativeKey | "none";
  /**
   * With `manualKey`: the `timestamp` of the last `announcement-taken` event of this peer, if the
   * owner remembers one. Without it, what is older than five minutes by this machine's clock is old.
   */
  readonly newerThan?: string;
  /** `192.0.2.1:51820` or `[2001:db8::1]:51820`; names are not resolved here. */
  readonly endpoint?: string;
  /** Seconds, 0 (off) to 65535. */
  readonly persistentKeepalive?: number;
  /** Forget the peer's allowed IPs before adding `allowedIps`. */
  readonly replaceAllowedIps?: boolean;
  /** `10.0.0.0/8`, `2001:db8::/32`, or a bare address. One that another peer has moves here. */
  readonly allowedIps?: readonly string[];
  /** Allowed IPs to take from this peer, if it has exactly these. */
  readonly removeAllowedIps?: readonly string[];
}

/** A change to a whole interface; what is left out stays as it is. */
export interface DeviceConfig {
  /** `"none"` takes the private key away: sessions end for sending, nothing is handshaken. */
  readonly identity?: Identity | "none";
  /** UDP port, 0 to let the system choose. */
  readonly listenPort?: number;
  /** Mark on outgoing packets, 0 for none. */
  readonly fwmark?: number;
  /** Remove all peers before adding `peers`. */
  readonly replacePeers?: boolean;
  readonly peers?: readonly PeerConfig[];
}

/** What a tunnel starts with. */
export interface TunnelOptions {
  /** 1 to 15 bytes. The interface is created, or taken over if it is a persistent TUN. */
  readonly ifname: string;
  /** Default 1420. */
  readonly mtu?: number;
  readonly identity?: Identity;
  readonly listenPort?: number;
  readonly fwmark?: number;
  readonly peers?: readonly PeerConfig[];
  /** Bind the UDP sockets to this interface (SO_BINDTODEVICE). */
  readonly bindInterface?: string;
  /**
   * Where session keys go. 64 bytes for each of at most four key pairs of a peer, 128 for its
   * handshake, and 64 for what both static keys agree on, which is remembered if there is room; 256
   * more for each peer with a manual key, and 128 in all where there is one.
   */
  readonly keyMemory?: NativeRegion;
  /** Called for each event, in order, from the thread that started the tunnel. */
  readonly onEvent?: (event: TunnelEvent) => void;
  /** A worker started beforehand by `prepareTunnel`, so that its start-up costs nothing now. */
  readonly prepared?: PreparedTunnel;
  /**
   * Speak to every peer at once, and again whenever this machine's addresses or routes change, so
   * that peers know where it is before there is anything to carry. For the side that moves.
   */
  readonly announce?: boolean;
  /**
   * `"auto"`: the kernel's own WireGuard carries the packets where it is there and `identity` is
   * local; a notice says why it doesn't. Not with `bindInterface`, nor with offloads off. The keys are
   * then the kernel's: they go with the interface, also when this process is killed. Default `"never"`.
   */
  readonly kernel?: "auto" | "never";
  /** Turn TUN and UDP offloads off (for tests and for comparing). Default: used where the kernel has them. */
  readonly offloads?: boolean;
}

/** A data-plane worker that waits for a tunnel to carry. */
export interface PreparedTunnel {
  /** Ends the worker if no tunnel took it. */
  discard(): void;
}

/** What a tunnel tells without being asked. */
export type TunnelEvent =
  | {
    readonly kind: "handshake-completed";
    readonly peer: PublicKey;
    /** The kernel doesn't say. */
    readonly role: "initiator" | "responder" | "unknown";
  }
  | {
    readonly kind: "handshake-failed";
    readonly peer: PublicKey;
    readonly reason: "no-answer" | "identity-failed" | "no-key-memory";
  }
  | { readonly kind: "endpoint-changed"; readonly peer: PublicKey; readonly endpoint: string }
  | {
    /** The first authenticated packet that carried an IP packet on a new session. */
    readonly kind: "first-data-received";
    readonly peer: PublicKey;
  }
  /** With a manual key: the peer's first packets are taken. Whoever remembers it refuses their replay. */
  | {
    readonly kind: "announcement-taken";
    readonly peer: PublicKey;
    /** TAI64N in hexadecimal, 24 digits. */
    readonly timestamp: string;
  }
  /** All session keys of the peer are gone (3 × 180 s without a new session). */
  | { readonly kind: "keys-expired"; readonly peer: PublicKey }
  /** Something went another way than hoped (an offload refused, no IPv6); said once each. */
  | { readonly kind: "notice"; readonly message: string };

/** One peer, as `wg show` shows it. */
export interface PeerStatus {
  readonly publicKey: PublicKey;
  readonly hasPresharedKey: boolean;
  readonly endpoint?: string;
  readonly persistentKeepalive: number;
  readonly allowedIps: readonly string[];
  /** Milliseconds since 1970 of the last completed handshake, 0 for never. */
  readonly lastHandshake: number;
  /** Bytes of UDP payload received from and sent to this peer, as `wg show` counts. */
  readonly rxBytes: number;
  readonly txBytes: number;
  /** Whether a session is there that could send now. */
  readonly sessionAlive: boolean;
}

/** Packets that were not carried, by reason; each only grows. */
export interface DropCounters {
  /** Unknown type, reserved bytes set, or a length that no message has. */
  readonly malformed: number;
  readonly oversized: number;
  readonly badMac1: number;
  readonly badMac2: number;
  readonly rateLimited: number;
  readonly handshakeRefused: number;
  /** An initiation whose timestamp isn't newer than the last one. */
  readonly handshakeReplayed: number;
  /** Handshakes given up because too many waited for the identity's Diffie-Hellman. */
  readonly identityBusy: number;
  readonly identityFailed: number;
  readonly unknownIndex: number;
  readonly authentication: number;
  readonly replayed: number;
  readonly expiredKey: number;
  /** A decrypted packet from an address that the peer may not use, or that isn't IP. */
  readonly notAllowed: number;
  readonly noRoute: number;
  readonly noEndpoint: number;
  /** Our own datagrams that a route led back into the tunnel. */
  readonly looped: number;
  readonly queueFull: number;
  readonly sendFailed: number;
  readonly tunWriteFailed: number;
  readonly noKeyMemory: number;
}

/** A whole interface at one moment. */
export interface DeviceStatus {
  readonly ifname: string;
  readonly identity: "local" | "remote" | "none";
  readonly publicKey?: PublicKey;
  readonly listenPort: number;
  readonly fwmark: number;
  readonly mtu: number;
  readonly crypto: CryptoName | "kernel";
  readonly offloads: {
    readonly tun: boolean;
    readonly udpSegment: boolean;
    readonly udpGro: boolean;
  };
  readonly underLoad: boolean;
  readonly cookiesSent: number;
  /** All zero where the kernel carries: it doesn't say. */
  readonly drops: DropCounters;
  readonly peers: readonly PeerStatus[];
}

/** Why a tunnel ended. */
export type CloseReason =
  | { readonly kind: "closed" }
  | { readonly kind: "interface-deleted" }
  | { readonly kind: "failed"; readonly message: string };

/** A running WireGuard interface. */
export interface Tunnel {
  readonly ifname: string;
  /** What moves the packets: the worker of this process, or the kernel. */
  readonly carrier: "userspace" | "kernel";
  /** Applies the whole change, or rejects with a `TunnelConfigError` and leaves the rest as it was. */
  set(config: DeviceConfig): Promise<void>;
  get(): Promise<DeviceStatus>;
  /**
   * Begins a handshake now with every peer whose endpoint is known, so that sessions last as long as
   * they can from here: for an owner whose identity will be away. The sessions that are there carry
   * on until then; a `handshake-completed` event tells when a new one took over. A peer handshaken
   * with less than 5 s ago is left as it is.
   */
  rekey(): Promise<void>;
  /** Forgets learnt source addresses and opens the UDP sockets anew, on the same port. */
  rebind(): Promise<void>;
  /**
   * For a process that ends right after: takes away the keys that aren't in its memory, before it
   * returns. Those in `keyMemory`, and the private key, are the caller's to wipe.
   */
  eraseNow(): void;
  /** Wipes the session keys, ends the worker, removes the interface (unless persistent). */
  close(): Promise<void>;
  readonly closed: Promise<CloseReason>;
}

/** A refused configuration: `code` is the errno name that the configuration socket reports. */
export class TunnelConfigError extends Error {
  override readonly name = "TunnelConfigError";
  readonly code: "EINVAL" | "EADDRINUSE" | "EPROTO" | "EIO" | "ENOENT";
  constructor(code: TunnelConfigError["code"], message: string) {
    super(message);
    this.code = code;
  }
}

/** Checks that `text` is 32 bytes in base64. Throws TypeError if it isn't. */
export function parsePublicKey(text: string): PublicKey {
  if (!/^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/.test(text)) {
    throw new TypeError(
      "Cannot read public key: it is not 32 bytes in base64; copy all 44 characters",
    );
  }
  return text as PublicKey;
}

/** The 32 bytes of `key`. */
export function publicKeyBytes(key: PublicKey): Uint8Array<ArrayBuffer> {
  return Uint8Array.fromBase64(key);
}

/** The public key that these 32 bytes are. */
export function publicKeyFromBytes(bytes: Uint8Array): PublicKey {
  if (bytes.length !== 32) {
    throw new TypeError(`Cannot read public key: it has ${bytes.length} bytes, not 32`);
  }
  return bytes.toBase64() as PublicKey;
}
