/** Reads a configuration's texts, before anything is changed. */
import { type DeviceConfig, type PeerConfig, publicKeyBytes, TunnelConfigError } from "./api.ts";
import { parseEndpoint, parsePrefix } from "./address.ts";
import type { WireConfig, WireIdentity, WirePeer } from "./dataplane/messages.ts";
import type { Prefix } from "./protocol/allowed_ips.ts";

const MOST_CONCURRENCY = 16;

/** Whether a configuration has a peer with a manual key. */
export function hasManualKey(peers: readonly PeerConfig[] = []): boolean {
  return peers.some(({ manualKey }) => manualKey !== undefined && manualKey !== "none");
}

/** Throws TunnelConfigError for what can't be read. */
export function readConfig(config: DeviceConfig): WireConfig {
  const { identity, listenPort, fwmark } = config;
  if (listenPort !== undefined) checkRange("listen port", listenPort, 65_535);
  if (fwmark !== undefined) checkRange("fwmark", fwmark, 2 ** 32 - 1);
  return {
    ...(identity === undefined ? {} : { identity: readIdentity(identity) }),
    ...(listenPort === undefined ? {} : { listenPort }),
    ...(fwmark === undefined ? {} : { fwmark }),
    replacePeers: config.replacePeers === true,
    peers: (config.peers ?? []).map(readPeer),
  };
}

function readIdentity(identity: NonNullable<DeviceConfig["identity"]>): WireIdentity {
  if (identity === "none") return { kind: "none" };
  if (identity.kind === "local") return { kind: "local", privateKey: identity.privateKey };
  const concurrency = identity.concurrency ?? 1;
  if (!Number.isInteger(concurrency) || concurrency < 1 || concurrency > MOST_CONCURRENCY) {
    throw new TunnelConfigError("EINVAL", "Cannot set identity: concurrency is not 1 to 16");
  }
  return { kind: "remote", publicKey: publicKeyBytes(identity.publicKey), concurrency };
}

function readPeer(peer: PeerConfig): WirePeer {
  const { presharedKey, manualKey, newerThan, endpoint, persistentKeepalive } = peer;
  if (persistentKeepalive !== undefined) {
    checkRange("persistent keepalive", persistentKeepalive, 65_535);
  }
  return {
    publicKey: publicKeyBytes(peer.publicKey),
    remove: peer.remove === true,
    updateOnly: peer.updateOnly === true,
    ...(presharedKey === undefined ? {} : { presharedKey }),
    ...(manualKey === undefined ? {} : { manualKey }),
    ...(newerThan === undefined ? {} : { newerThan: readTimestamp(newerThan) }),
    ...(endpoint === undefined ? {} : { endpoint: readEndpoint(endpoint) }),
    ...(persistentKeepalive === undefined ? {} : { persistentKeepalive }),
    replaceAllowedIps: peer.replaceAllowedIps === true,
    allowedIps: (peer.allowedIps ?? []).map(readPrefix),
    removeAllowedIps: (peer.removeAllowedIps ?? []).map(readPrefix),
  };
}

function readEndpoint(text: string): Uint32Array {
  const endpoint = parseEndpoint(text);
  if (endpoint === undefined || endpoint.port === 0) {
    throw new TunnelConfigError(
      "EINVAL",
      `Cannot set endpoint: "${text}" is not address:port; give an IP address, not a name`,
    );
  }
  return endpoint.words;
}

function readTimestamp(text: string): Uint8Array {
  if (/^([0-9a-f]{2}){12}$/.test(text)) return Uint8Array.fromHex(text);
  throw new TunnelConfigError(
    "EINVAL",
    `Cannot set manual key: "${text}" is no timestamp; give one of an announcement-taken event`,
  );
}

function readPrefix(text: string): Prefix {
  const prefix = parsePrefix(text);
  if (prefix === undefined) {
    throw new TunnelConfigError(
      "EINVAL",
      `Cannot set allowed IPs: "${text}" is not address/length`,
    );
  }
  return prefix;
}

function checkRange(what: string, value: number, most: number): void {
  if (Number.isInteger(value) && value >= 0 && value <= most) return;
  throw new TunnelConfigError("EINVAL", `Cannot set ${what}: ${value} is not 0 to ${most}`);
}
