/** A configuration and a session's grant, checked and sorted by address family for the ruleset. No I/O. */
import {
  formatAddress,
  formatNetwork,
  type IpNetwork,
  parseNetwork,
  withoutOverlaps,
} from "../../os/ip_network.ts";
import type { GatewayConfig } from "../config/gateway_config.ts";
import type { SessionGrant } from "./grant.ts";
import { type Inbound, planInbound } from "./inbound.ts";

export type SwitchConfig = Pick<
  GatewayConfig,
  "lan" | "internet" | "portal" | "panel" | "share" | "inbound"
>;

/** Texts of one family each, as nftables writes them. */
export interface ByFamily {
  readonly v4: readonly string[];
  readonly v6: readonly string[];
}

export interface SessionScope {
  readonly interface: string;
  readonly inbound: Inbound;
  /** Who may speak first to which UDP port; there where that may lead to something. */
  readonly listening: { readonly port: number; readonly peers: ByFamily } | undefined;
  /** The box's own addresses in the tunnel: at most one of each family. */
  readonly own: ByFamily;
  readonly destinations: ByFamily;
  readonly learns: boolean;
  readonly direct: boolean;
  readonly mtu: number;
}

/** The networks of the LAN; link-local IPv6 is always part of it. */
export function lanNetworks(config: SwitchConfig): ByFamily {
  const { address, address6 } = config.lan;
  return byFamily([address, ...(address6 === undefined ? [] : [address6]), "fe80::/10"]);
}

/**
 * What the grant means for packets. Resolvers behind the tunnel are destinations too.
 * @throws {TypeError} for a text that is no address, network or interface: the profile's own check
 *   rules that out, and a ruleset must never be made of unchecked text.
 */
export function sessionScope(config: SwitchConfig, grant: SessionGrant): SessionScope {
  const own = grant.addresses.map((text) => formatAddress(network(text).bytes));
  const inbound = planInbound(config.inbound, grant);
  const leadsAnywhere = inbound.openings.length + inbound.pings.length > 0;
  return {
    interface: interfaceName(grant.interface),
    inbound,
    listening: grant.listening === undefined || !leadsAnywhere
      ? undefined
      : { port: grant.listening.port, peers: byFamily(grant.listening.peers) },
    own: {
      v4: own.filter((address) => !address.includes(":")).slice(0, 1),
      v6: own.filter((address) => address.includes(":")).slice(0, 1),
    },
    destinations: byFamily([...grant.networks, ...grant.dns]),
    learns: grant.domains.length > 0,
    direct: grant.otherTraffic === "direct",
    mtu: grant.mtu,
  };
}

/** @throws {TypeError} unless the kernel would take it as an interface's name, and nftables as a word. */
export function interfaceName(text: string): string {
  if (/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}$/.test(text)) return text;
  throw new TypeError(`Cannot plan the switch: ${JSON.stringify(text)} is no interface name`);
}

/** Splits addresses and networks by family. */
export function byFamily(texts: readonly string[]): ByFamily {
  const networks = withoutOverlaps(texts.map(network));
  const of = (family: 4 | 6) => networks.filter((n) => n.family === family).map(formatNetwork);
  return { v4: of(4), v6: of(6) };
}

function network(text: string): IpNetwork {
  const parsed = parseNetwork(text);
  if (parsed !== undefined) return parsed;
  throw new TypeError(`Cannot plan the switch: ${JSON.stringify(text)} is no address or network`);
}
