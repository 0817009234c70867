/**
 * The `set` request of WireGuard's cross-platform configuration protocol
 * (https://www.wireguard.com/xplatform/), from bytes to a `DeviceConfig`. Keys that are secret go
 * from the bytes to a `KeyStore` without becoming text.
 */
import {
  type DeviceConfig,
  type PeerConfig,
  type PublicKey,
  publicKeyFromBytes,
  TunnelConfigError,
} from "../api.ts";
import type { KeyStore, StoredKey } from "./key_store.ts";

type Changing<Config> = { -readonly [Key in keyof Config]: Config[Key] };

/** What was asked, with the secrets that it brought. */
export interface SetRequest {
  readonly config: DeviceConfig;
  /** Absent: not mentioned; "none": taken away. */
  readonly privateKey?: StoredKey | "none";
  readonly presharedKeys: ReadonlyMap<PublicKey, StoredKey | "none">;
}

/**
 * `body`: the lines behind `set=1`, without the empty one.
 * @throws {TunnelConfigError} EINVAL for a bad key or value, EPROTO for a line that is none
 */
export function parseSet(body: Uint8Array, store: KeyStore): SetRequest {
  const reader = new SetReader(store);
  try {
    for (const line of linesOf(body)) reader.read(line);
    return reader.request();
  } catch (error) {
    reader.release();
    throw error;
  }
}

const EQUALS = 0x3d;
const NEWLINE = 0x0a;
const SECRET_KEYS = new Set(["private_key", "preshared_key"]);
const LONGEST_VALUE = 256;

class SetReader {
  readonly #store: KeyStore;
  readonly #device: Changing<DeviceConfig> = {};
  readonly #peers: Changing<PeerConfig>[] = [];
  readonly #taken: StoredKey[] = [];
  readonly #presharedKeys = new Map<PublicKey, StoredKey | "none">();
  #privateKey: StoredKey | "none" | undefined;
  #peer: (Changing<PeerConfig> & { allowedIps: string[]; removeAllowedIps: string[] }) | undefined;

  constructor(store: KeyStore) {
    this.#store = store;
  }

  read(line: Uint8Array): void {
    const at = line.indexOf(EQUALS);
    if (at < 0) throw new TunnelConfigError("EPROTO", "Cannot read line: it has no =");
    const key = ascii(line.subarray(0, at));
    const value = line.subarray(at + 1);
    if (SECRET_KEYS.has(key)) this.#readSecret(key, value);
    else if (value.length > LONGEST_VALUE) throw invalid(key);
    else if (key === "public_key") this.#beginPeer(value);
    else if (this.#peer === undefined) this.#readDevice(key, ascii(value));
    else this.#readPeer(this.#peer, key, ascii(value));
  }

  request(): SetRequest {
    return {
      config: { ...this.#device, peers: this.#peers },
      ...(this.#privateKey === undefined ? {} : { privateKey: this.#privateKey }),
      presharedKeys: this.#presharedKeys,
    };
  }

  release(): void {
    for (const key of this.#taken) this.#store.release(key);
  }

  #readSecret(name: string, value: Uint8Array): void {
    const stored = this.#store.take();
    this.#taken.push(stored);
    if (!decodeHex(value, stored.bytes)) throw invalid(name);
    const key = stored.bytes.every((byte) => byte === 0) ? "none" : stored;
    if (name === "private_key" && this.#peer === undefined) {
      this.#device.identity = key === "none" ? key : { kind: "local", privateKey: nativeKey(key) };
      this.#privateKey = key;
    } else if (name === "preshared_key" && this.#peer !== undefined) {
      this.#peer.presharedKey = key === "none" ? key : nativeKey(key);
      this.#presharedKeys.set(this.#peer.publicKey, key);
    } else {
      throw invalid(name);
    }
  }

  #beginPeer(value: Uint8Array): void {
    const bytes = new Uint8Array(32);
    if (!decodeHex(value, bytes)) throw invalid("public_key");
    this.#peer = {
      publicKey: publicKeyFromBytes(bytes),
      allowedIps: [],
      removeAllowedIps: [],
    };
    this.#peers.push(this.#peer);
  }

  #readDevice(key: string, value: string): void {
    switch (key) {
      case "listen_port":
        this.#device.listenPort = numberOf(key, value, 65_535);
        return;
      case "fwmark":
        this.#device.fwmark = numberOf(key, value, 2 ** 32 - 1);
        return;
      case "replace_peers":
        this.#device.replacePeers = trueOf(key, value);
        return;
      default:
        throw invalid(key);
    }
  }

  #readPeer(
    peer: Changing<PeerConfig> & { allowedIps: string[]; removeAllowedIps: string[] },
    key: string,
    value: string,
  ): void {
    switch (key) {
      case "remove":
        peer.remove = trueOf(key, value);
        return;
      case "update_only":
        peer.updateOnly = trueOf(key, value);
        return;
      case "endpoint":
        peer.endpoint = value;
        return;
      case "persistent_keepalive_interval":
        peer.persistentKeepalive = numberOf(key, value, 65_535);
        return;
      case "replace_allowed_ips":
        peer.replaceAllowedIps = trueOf(key, value);
        return;
      case "allowed_ip":
        if (value.startsWith("-")) peer.removeAllowedIps.push(value.slice(1));
        else peer.allowedIps.push(value);
        return;
      case "protocol_version":
        if (value !== "1") throw invalid(key);
        return;
      default:
        throw invalid(key);
    }
  }
}

function* linesOf(body: Uint8Array): Generator<Uint8Array> {
  for (let start = 0; start < body.length;) {
    const found = body.indexOf(NEWLINE, start);
    const end = found < 0 ? body.length : found;
    yield body.subarray(start, end);
    start = end + 1;
  }
}

/** Exactly `out.length` bytes as hexadecimal digits. */
function decodeHex(text: Uint8Array, out: Uint8Array): boolean {
  if (text.length !== out.length * 2) return false;
  for (let index = 0; index < out.length; index++) {
    const high = nibble(text[index * 2] ?? 0);
    const low = nibble(text[index * 2 + 1] ?? 0);
    if (high < 0 || low < 0) return false;
    out[index] = (high << 4) | low;
  }
  return true;
}

function nibble(character: number): number {
  if (character >= 0x30 && character <= 0x39) return character - 0x30;
  const lower = character | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

function ascii(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes.subarray(0, LONGEST_VALUE + 1));
}

function numberOf(key: string, value: string, most: number): number {
  const number = /^\d{1,10}$/.test(value) ? Number(value) : NaN;
  if (!(number <= most)) throw invalid(key);
  return number;
}

function trueOf(key: string, value: string): true {
  if (value !== "true") throw invalid(key);
  return true;
}

function nativeKey({ address, length }: StoredKey) {
  return { address, length };
}

function invalid(key: string): TunnelConfigError {
  const shown = key.replace(/[^\w]/g, "?").slice(0, 40);
  return new TunnelConfigError("EINVAL", `Cannot set ${shown}: unknown here, or its value is bad`);
}
