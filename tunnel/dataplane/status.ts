import { formatEndpoint, formatPrefix } from "../address.ts";
import { type DeviceStatus, publicKeyFromBytes } from "../api.ts";
import type { Device } from "../protocol/device.ts";
import type { Peer } from "../protocol/peer.ts";

/** What the core knows, as the owner is told; `rest` is the data plane's part of it. */
export function deviceStatus(
  device: Device,
  { now, drops, ...rest }:
    & Pick<DeviceStatus, "ifname" | "listenPort" | "fwmark" | "crypto" | "offloads">
    & {
      now: number;
      drops: Pick<DeviceStatus["drops"], "oversized" | "sendFailed" | "tunWriteFailed">;
    },
): DeviceStatus {
  const { identityKind } = device;
  return {
    ...rest,
    identity: identityKind,
    ...(identityKind === "none" ? {} : { publicKey: publicKeyFromBytes(device.publicKey) }),
    mtu: device.mtu,
    underLoad: device.underLoad,
    cookiesSent: device.cookiesSent,
    drops: { ...device.drops, ...drops },
    peers: [...device.peers.values()].map((peer) => peerStatus(peer, { device, now })),
  };
}

function peerStatus(
  peer: Peer,
  { device, now }: { device: Device; now: number },
): DeviceStatus["peers"][number] {
  const { current } = peer;
  return {
    publicKey: publicKeyFromBytes(peer.publicKey),
    hasPresharedKey: peer.hasPresharedKey,
    ...(peer.endpoint === undefined ? {} : { endpoint: formatEndpoint(peer.endpoint) }),
    persistentKeepalive: peer.persistentKeepalive,
    allowedIps: device.allowedIpsOf(peer).map(formatPrefix),
    lastHandshake: peer.lastHandshake,
    rxBytes: peer.rxBytes,
    txBytes: peer.txBytes,
    sessionAlive: current !== undefined && current.usable(now),
  };
}
