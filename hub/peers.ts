/**
 * From the clients of yesterday to those of today: two configurations in, changes of peers out, such
 * that the sessions of whoever stays go on. @core
 */
import type { NativeKey, PeerConfig } from "../tunnel/api.ts";
import type { ClientConfig } from "./hub_config.ts";

/** What is known of a client beside the file. */
export interface ClientSecrets {
  /** Its preshared or manual key, or undefined for none. */
  of(client: ClientConfig): NativeKey | undefined;
  /** The timestamp of its last announcement that was taken, if it has a manual key. */
  newerThan(client: ClientConfig): string | undefined;
}

export function peerChanges(
  { from, to }: { readonly from: readonly ClientConfig[]; readonly to: readonly ClientConfig[] },
  secrets: ClientSecrets,
): PeerConfig[] {
  const staying = new Set(to.map(({ public_key }) => public_key));
  const before = new Map(from.map((client) => [client.public_key, client]));
  const gone = from.filter(({ public_key }) => !staying.has(public_key))
    .map(({ public_key }) => ({ publicKey: public_key, remove: true }));
  // Removed first: what they had may belong to another now.
  return [
    ...gone,
    ...to.map((client) => peer(client, before.get(client.public_key), secrets)),
  ];
}

function peer(
  client: ClientConfig,
  before: ClientConfig | undefined,
  secrets: ClientSecrets,
): PeerConfig {
  // A client that has moved is where it is: only an endpoint that is new in the file counts.
  const endpoint = client.endpoint !== before?.endpoint ? client.endpoint : undefined;
  return {
    publicKey: client.public_key,
    ...keysOf(client, before, secrets),
    replaceAllowedIps: true,
    allowedIps: client.addresses,
    ...(endpoint === undefined ? {} : { endpoint }),
  };
}

function keysOf(
  client: ClientConfig,
  before: ClientConfig | undefined,
  secrets: ClientSecrets,
): Pick<PeerConfig, "presharedKey" | "manualKey" | "newerThan"> {
  const key = secrets.of(client) ?? "none";
  if (client.manual_key_file !== undefined) {
    const newerThan = secrets.newerThan(client);
    return {
      presharedKey: "none",
      manualKey: key,
      ...(newerThan === undefined ? {} : { newerThan }),
    };
  }
  const hadManual = before?.manual_key_file !== undefined;
  return { presharedKey: key, ...(hadManual ? { manualKey: "none" } : {}) };
}
