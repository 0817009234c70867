import type { DropCounters } from "../api.ts";
import type { AllowedIps } from "./allowed_ips.ts";
import type { Crypto, TransportAead } from "./crypto.ts";
import type { KeyPool } from "./key_pool.ts";
import type { Outside } from "./outside.ts";
import type { Peer } from "./peer.ts";

export type MutableDrops = { -readonly [Reason in keyof DropCounters]: number };

/** What the parts of one device share. */
export interface Context {
  readonly crypto: Crypto;
  readonly arena: Uint8Array<ArrayBuffer>;
  readonly aead: TransportAead;
  readonly outside: Outside;
  readonly pool: KeyPool;
  readonly drops: MutableDrops;
  readonly allowedIps: AllowedIps<Peer>;
  /** Of the event being handled: milliseconds of a clock that never steps back. */
  now: number;
  mtu: number;
  cookiesSent: number;
}

export function noDrops(): MutableDrops {
  return {
    malformed: 0,
    oversized: 0,
    badMac1: 0,
    badMac2: 0,
    rateLimited: 0,
    handshakeRefused: 0,
    handshakeReplayed: 0,
    identityBusy: 0,
    identityFailed: 0,
    unknownIndex: 0,
    authentication: 0,
    replayed: 0,
    expiredKey: 0,
    notAllowed: 0,
    noRoute: 0,
    noEndpoint: 0,
    looped: 0,
    queueFull: 0,
    sendFailed: 0,
    tunWriteFailed: 0,
    noKeyMemory: 0,
  };
}
