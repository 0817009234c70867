/** What the owner's messages say, as the core takes it: keys are views of the owner's memory. */
import { nativeBytes } from "../../os/libc.ts";
import type { DeviceChange, PeerChange } from "../protocol/device.ts";
import { Endpoint } from "../protocol/endpoint.ts";
import type { NativeKey } from "../api.ts";
import type { WireConfig, WireIdentity, WirePeer } from "./messages.ts";

export function coreChange({ identity, replacePeers, peers }: WireConfig): DeviceChange {
  return {
    ...(identity === undefined ? {} : { identity: coreIdentity(identity) }),
    replacePeers,
    peers: peers.map(corePeer),
  };
}

function coreIdentity(identity: WireIdentity) {
  if (identity.kind !== "local") return identity;
  const { address, length } = identity.privateKey;
  return { kind: "local" as const, privateKey: nativeBytes(address, length) };
}

function corePeer(peer: WirePeer): PeerChange {
  const { presharedKey, manualKey, endpoint, ...rest } = peer;
  return {
    ...rest,
    ...(presharedKey === undefined ? {} : { presharedKey: keyOf(presharedKey) }),
    ...(manualKey === undefined ? {} : { manualKey: keyOf(manualKey) }),
    ...(endpoint === undefined ? {} : { endpoint: endpointFromWords(endpoint) }),
  };
}

function keyOf(key: NativeKey | "none"): Uint8Array | "none" {
  return key === "none" ? key : nativeBytes(key.address, key.length);
}

function endpointFromWords(words: Uint32Array): Endpoint {
  const endpoint = new Endpoint();
  endpoint.words.set(words);
  return endpoint;
}
