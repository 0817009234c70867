/** What the thread that owns a tunnel and its worker say to each other. Plain data, no secret. */
import type { CloseReason, DeviceStatus, NativeKey, NativeRegion, TunnelEvent } from "../api.ts";
import type { Prefix } from "../protocol/allowed_ips.ts";

export type WireIdentity =
  | { readonly kind: "none" }
  | { readonly kind: "local"; readonly privateKey: NativeKey }
  | { readonly kind: "remote"; readonly publicKey: Uint8Array; readonly concurrency: number };

/** A `PeerConfig` after its texts were read. */
export interface WirePeer {
  readonly publicKey: Uint8Array;
  readonly remove: boolean;
  readonly updateOnly: boolean;
  readonly presharedKey?: NativeKey | "none";
  readonly manualKey?: NativeKey | "none";
  readonly newerThan?: Uint8Array;
  /** Words of an `Endpoint`. */
  readonly endpoint?: Uint32Array;
  readonly persistentKeepalive?: number;
  readonly replaceAllowedIps: boolean;
  readonly allowedIps: readonly Prefix[];
  readonly removeAllowedIps: readonly Prefix[];
}

export interface WireConfig {
  readonly identity?: WireIdentity;
  readonly listenPort?: number;
  readonly fwmark?: number;
  readonly replacePeers: boolean;
  readonly peers: readonly WirePeer[];
}

export interface WireOptions {
  readonly ifname: string;
  readonly mtu: number;
  readonly bindInterface?: string;
  readonly keyMemory?: NativeRegion;
  readonly offloads: boolean;
  readonly announce: boolean;
  readonly config: WireConfig;
}

export type Request =
  | { readonly type: "start"; readonly options: WireOptions }
  | { readonly type: "set"; readonly config: WireConfig }
  | { readonly type: "get" }
  | { readonly type: "rekey" }
  | { readonly type: "rebind" }
  | { readonly type: "stop" };

/** To the worker. Each is counted in shared memory, and the worker woken by its eventfd. */
export type ToWorker =
  | {
    readonly type: "hello";
    readonly wake: number;
    readonly sent: SharedArrayBuffer;
    /** There is time to get ready. */
    readonly warmUp: boolean;
  }
  | { readonly type: "request"; readonly id: number; readonly request: Request }
  | {
    readonly type: "dh";
    readonly id: number;
    /** Where the result lies, until the worker says that it took it; absent if there is none. */
    readonly answer?: bigint;
  };

export type FromWorker =
  | { readonly type: "done"; readonly id: number; readonly status?: DeviceStatus }
  | {
    readonly type: "refused";
    readonly id: number;
    readonly code: "EINVAL" | "EADDRINUSE" | "EIO";
    readonly message: string;
  }
  | { readonly type: "event"; readonly event: TunnelEvent }
  | { readonly type: "dh"; readonly id: number; readonly peerPublicKey: Uint8Array }
  | { readonly type: "dh-taken"; readonly id: number }
  | { readonly type: "closed"; readonly reason: CloseReason };
