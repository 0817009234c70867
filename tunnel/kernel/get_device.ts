/**
 * What the kernel says of an interface, read from the messages of its dump. No I/O. Keys in them are
 * passed over: nothing of the result is secret.
 */
import { formatEndpoint, formatPrefix } from "../address.ts";
import { type PeerStatus, publicKeyFromBytes } from "../api.ts";
import type { Prefix } from "../protocol/allowed_ips.ts";
import { type Endpoint, endpointOf } from "../protocol/endpoint.ts";
import { KEY_LENGTH } from "../protocol/spec.ts";
import { attributesIn } from "./attributes.ts";
import * as spec from "./spec.ts";

/** An interface at one moment, as far as the kernel tells. */
export interface KernelStatus {
  readonly publicKey: Uint8Array | undefined;
  readonly listenPort: number;
  readonly fwmark: number;
  readonly peers: readonly Omit<PeerStatus, "sessionAlive">[];
}

type PeerSoFar =
  & { -readonly [Name in keyof Omit<PeerStatus, "sessionAlive">]: PeerStatus[Name] }
  & { allowedIps: string[] };

/** Takes a dump's messages in order; a peer that is too long for one goes on in the next. */
export class StatusReader {
  #publicKey: Uint8Array | undefined;
  #listenPort = 0;
  #fwmark = 0;
  readonly #peers: PeerSoFar[] = [];

  /** `attributes`: the message without its two headers. */
  take(attributes: Uint8Array): void {
    for (const { type, value } of attributesIn(attributes)) {
      switch (type) {
        case spec.WGDEVICE_A_PUBLIC_KEY:
          if (value.length === KEY_LENGTH) this.#publicKey = value.slice();
          break;
        case spec.WGDEVICE_A_LISTEN_PORT:
          this.#listenPort = number(value);
          break;
        case spec.WGDEVICE_A_FWMARK:
          this.#fwmark = number(value);
          break;
        case spec.WGDEVICE_A_PEERS:
          for (const peer of attributesIn(value)) this.#takePeer(peer.value);
      }
    }
  }

  get status(): KernelStatus {
    return {
      publicKey: this.#publicKey,
      listenPort: this.#listenPort,
      fwmark: this.#fwmark,
      peers: this.#peers,
    };
  }

  #takePeer(attributes: Uint8Array): void {
    let peer: PeerSoFar | undefined;
    for (const { type, value } of attributesIn(attributes)) {
      // The kernel puts it first.
      if (type === spec.WGPEER_A_PUBLIC_KEY && value.length === KEY_LENGTH) {
        peer = this.#peerOf(value);
      } else if (peer !== undefined) takeDetail(peer, { type, value });
    }
  }

  #peerOf(key: Uint8Array): PeerSoFar {
    const publicKey = publicKeyFromBytes(key);
    const last = this.#peers.at(-1);
    if (last?.publicKey === publicKey) return last;
    const peer: PeerSoFar = {
      publicKey,
      hasPresharedKey: false,
      persistentKeepalive: 0,
      allowedIps: [],
      lastHandshake: 0,
      rxBytes: 0,
      txBytes: 0,
    };
    this.#peers.push(peer);
    return peer;
  }
}

function takeDetail(
  peer: PeerSoFar,
  { type, value }: { type: number; value: Uint8Array },
): void {
  switch (type) {
    case spec.WGPEER_A_PRESHARED_KEY:
      peer.hasPresharedKey = value.some((byte) => byte !== 0);
      break;
    case spec.WGPEER_A_ENDPOINT: {
      const endpoint = readEndpoint(value);
      if (endpoint !== undefined) peer.endpoint = formatEndpoint(endpoint);
      break;
    }
    case spec.WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL:
      peer.persistentKeepalive = number(value);
      break;
    case spec.WGPEER_A_LAST_HANDSHAKE_TIME:
      // struct __kernel_timespec: seconds and nanoseconds of 64 bits each.
      peer.lastHandshake = number(value.subarray(0, 8)) * 1000 +
        Math.floor(number(value.subarray(8)) / 1e6);
      break;
    case spec.WGPEER_A_RX_BYTES:
      peer.rxBytes = number(value);
      break;
    case spec.WGPEER_A_TX_BYTES:
      peer.txBytes = number(value);
      break;
    case spec.WGPEER_A_ALLOWEDIPS:
      for (const entry of attributesIn(value)) {
        const prefix = readPrefix(entry.value);
        if (prefix !== undefined) peer.allowedIps.push(formatPrefix(prefix));
      }
  }
}

/** Of 1 to 8 bytes, little end first, up to 2^53. */
function number(bytes: Uint8Array): number {
  return bytes.reduceRight((sum, byte) => sum * 256 + byte, 0);
}

function readEndpoint(bytes: Uint8Array): Endpoint | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const family = bytes.length < 8 ? 0 : view.getUint16(0, true);
  if (family === spec.AF_INET) {
    return endpointOf({ family: 4, words: [view.getUint32(4)] }, view.getUint16(2));
  }
  if (family !== spec.AF_INET6 || bytes.length < 28) return undefined;
  const words = [8, 12, 16, 20].map((at) => view.getUint32(at));
  const scope = view.getUint32(24, true);
  return endpointOf({ family: 6, words, scope }, view.getUint16(2));
}

function readPrefix(attributes: Uint8Array): Prefix | undefined {
  let address: Uint8Array | undefined;
  let length = 0;
  for (const { type, value } of attributesIn(attributes)) {
    if (type === spec.WGALLOWEDIP_A_IPADDR) address = value;
    if (type === spec.WGALLOWEDIP_A_CIDR_MASK) length = number(value);
  }
  if (address?.length !== 4 && address?.length !== 16) return undefined;
  const view = new DataView(address.buffer, address.byteOffset, address.length);
  const words = Array.from({ length: address.length / 4 }, (_, word) => view.getUint32(4 * word));
  return { family: address.length === 4 ? 4 : 6, words, length };
}
