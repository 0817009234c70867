/**
 * From the clients of yesterday to those of today: two configurations in, changes of peers out, such
 * that the sessions of whoever stays go on. @core
 */
import type { NativeKey, PeerConfig } from "../tunnel/api.ts";
import type { ClientConfig } from "./hub_config.ts";

/** The preshared key of a client, or undefined for none. */
export type PresharedKeys = (client: ClientConfig) => NativeKey | undefined;

export function peerChanges(
  { from, to }: { readonly from: readonly ClientConfig[]; readonly to: readonly ClientConfig[] },
  presharedKey: PresharedKeys,
): PeerConfig[] {
  const staying = new Set(to.map(({ public_key }) => public_key));
  const before = new Map(from.map((client) => [client.public_key, client]));
  const gone = from.filter(({ public_key }) => !staying.has(public_key))
    .map(({ public_key }) => ({ publicKey: public_key, remove: true }));
  // Removed first: what they had may belong to another now.
  return [
    ...gone,
    ...to.map((client) => peer(client, before.get(client.public_key), presharedKey(client))),
  ];
}

function peer(
  client: ClientConfig,
  before: ClientConfig | undefined,
  presharedKey: NativeKey | undefined,
): PeerConfig {
  // A client that has moved is where it is: only an endpoint that is new in the file counts.
  const endpoint = client.endpoint !== before?.endpoint ? client.endpoint : undefined;
  return {
    publicKey: client.public_key,
    presharedKey: presharedKey ?? "none",
    replaceAllowedIps: true,
    allowedIps: client.addresses,
    ...(endpoint === undefined ? {} : { endpoint }),
  };
}
