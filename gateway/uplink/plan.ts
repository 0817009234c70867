/**
 * Policy routes as data: a session's grant (or none) goes in, lines for `ip -batch` come out.
 * No I/O.
 *
 * The box forwards nothing but what the ruleset has marked: where another program takes the ruleset
 * away, no mark means no way, silently. Packets with the tunnel's mark use TUNNEL_TABLE, which ends in
 * an unreachable default that no interface's end takes away: a tunnel that vanishes leaves "no
 * route" behind, never the Internet. What the box says under an address of its own goes where that
 * address belongs.
 */
import { formatAddress, formatNetwork, type IpNetwork, parseNetwork } from "../../os/ip_network.ts";
import type { GatewayConfig } from "../config/gateway_config.ts";
import { ADMITTED_MARK, LAN_TABLE, TUNNEL_MARK, TUNNEL_TABLE } from "../switch/numbers.ts";
import { interfaceName } from "../switch/scope.ts";
import type { SessionGrant } from "../switch/grant.ts";

export type UplinkConfig = Pick<GatewayConfig, "lan" | "internet" | "tunnel">;

export const FAMILIES = ["-4", "-6"] as const;
export type Family = typeof FAMILIES[number];

/** Places of our rules, in their order: after the local table (0), before the main one (32766). */
const PLACE = {
  bound: 7000,
  checked: 7005,
  marked: 7010,
  admitted: 7020,
  own: 7030,
  barrier: 7040,
  /** Here and below: the box's own packets. */
  said: 7050,
  byLan: 7060,
  byTunnel: 7070,
  byTunnelElse: 7080,
  end: 7090,
};

/** The places of a session's own rules; they stay until the next, as its interface may outlive it. */
export const SESSION_PREFERENCES: readonly number[] = [PLACE.byTunnel, PLACE.byTunnelElse];
/** All places, in the order in which rules are taken away: the box itself is never cut off. */
export const RULE_PREFERENCES: readonly number[] = [
  PLACE.barrier,
  ...Object.values(PLACE).filter((place) => place !== PLACE.barrier),
];

/** Below every other route of its table. */
const LAST_METRIC = 4_278_198_272;
const FIRST_METRIC = 10;

/**
 * What every sender's address is in. In IPv6 the kernel checks the gateway of another program's new route
 * by looking for a way from nobody: that must not end at the barrier.
 */
const ANY_SENDER: Record<Family, readonly string[]> = {
  "-4": ["all"],
  "-6": ["::/1", "8000::/1"],
};

/** Everybody on a link. */
const LINKS: Record<Family, readonly string[]> = {
  "-4": ["224.0.0.0/4", "255.255.255.255/32"],
  "-6": ["fe80::/10", "ff00::/8"],
};

/** The rules of one family, which stay for as long as the ruleset does. */
export function planRules({ lan, tunnel }: UplinkConfig, family: Family): string[] {
  const rule = (place: number, text: string) => `rule add pref ${place} ${text}`;
  return [
    rule(PLACE.end, "nop"),
    rule(PLACE.said, "nop"),
    // The box's own sockets that are bound to the tunnel: DNS questions for behind it.
    rule(PLACE.bound, `oif ${interfaceName(tunnel.interface)} lookup ${TUNNEL_TABLE}`),
    // The kernel's check of a terminal's address asks for the way back to it, with the packet's mark.
    ...lanNetworks(lan, family).map((own) =>
      rule(PLACE.checked, `to ${formatNetwork(own)} fwmark ${TUNNEL_MARK} goto ${PLACE.end}`)
    ),
    rule(PLACE.marked, `fwmark ${TUNNEL_MARK} lookup ${TUNNEL_TABLE}`),
    rule(PLACE.admitted, `fwmark ${ADMITTED_MARK} goto ${PLACE.end}`),
    rule(PLACE.own, `iif lo goto ${PLACE.said}`),
    ...ANY_SENDER[family].map((from) => rule(PLACE.barrier, `from ${from} blackhole`)),
    // Portal, panel and DNS listen at these: an outsider's question gets no answer, also without the ruleset.
    ...lanNetworks(lan, family).map(({ bytes }) =>
      rule(PLACE.byLan, `from ${formatAddress(bytes)} lookup ${LAN_TABLE}`)
    ),
  ];
}

/** The ends of both tables; there before the rules, and for as long as they are. */
export function planFallbacks({ lan }: Pick<UplinkConfig, "lan">, family: Family): string[] {
  const near = [...lanNetworks(lan, family).map(formatNetwork), ...LINKS[family]];
  return [
    `route replace unreachable default table ${TUNNEL_TABLE} metric ${LAST_METRIC}`,
    `route replace blackhole default table ${LAN_TABLE} metric ${LAST_METRIC}`,
    // "throw" means: as if this table weren't there, so the main table decides.
    ...near.map((to) => `route replace throw ${to} table ${LAN_TABLE} metric ${FIRST_METRIC}`),
  ];
}

/** The ways that a session opens, for one family. */
export function planOpen(grant: SessionGrant, family: Family): string[] {
  const tunnel = interfaceName(grant.interface);
  return ownAddresses(grant, family).length === 0
    ? []
    : [`route replace default dev ${tunnel} table ${TUNNEL_TABLE} metric ${FIRST_METRIC}`];
}

/** What the box says under its addresses in the tunnel leaves by the tunnel, or not at all. */
export function planSessionRules(grant: SessionGrant, family: Family): string[] {
  const icmp = family === "-4" ? "icmp" : "ipv6-icmp";
  return ownAddresses(grant, family).flatMap((from) => [
    // Errors, which quote the packet that they are about, and answers to pings.
    // "iif lo" also spares the kernel a look for the protocol in every packet that it forwards.
    `rule add pref ${PLACE.byTunnel} from ${from} iif lo ipproto ${icmp} lookup ${TUNNEL_TABLE}`,
    `rule add pref ${PLACE.byTunnelElse} from ${from} blackhole`,
  ]);
}

/** Takes the session's ways away; a line fails where there is none, which is as good. */
export function planClose(): string[] {
  return [`route del default table ${TUNNEL_TABLE} metric ${FIRST_METRIC}`];
}

export interface KernelSetting {
  /** Path under /proc/sys. */
  readonly path: string;
  readonly value: string;
}

/** Forwarding on, sources checked, redirects and foreign routers ignored. In this order. */
export function planSettings(lan: string, internet: string): KernelSetting[] {
  const v4 = (where: string, name: string, value: string) => ({
    path: `net/ipv4/conf/${where}/${name}`,
    value,
  });
  const v6 = (where: string, name: string, value: string) => ({
    path: `net/ipv6/conf/${where}/${name}`,
    value,
  });
  return [
    // The strictest of "all" and the interface counts, and the tunnel's answers come from addresses
    // whose way back, without the mark, is another one.
    v4("all", "rp_filter", "0"),
    v4(lan, "rp_filter", "1"),
    v4(internet, "rp_filter", "2"),
    // The way back is looked for with the packet's mark: without one there is none.
    v4(lan, "src_valid_mark", "1"),
    v4(internet, "src_valid_mark", "1"),
    ...["all", lan, internet].flatMap((where) => [
      v4(where, "send_redirects", "0"),
      v4(where, "accept_redirects", "0"),
      v4(where, "accept_source_route", "0"),
      v6(where, "accept_redirects", "0"),
    ]),
    // A forwarding host forgets its own router unless it is told to go on listening.
    v6(internet, "accept_ra", "2"),
    v6(lan, "accept_ra", "0"),
    { path: "net/ipv4/ip_forward", value: "1" },
    v6("all", "forwarding", "1"),
  ];
}

/** The tunnel's interface as the session needs it; idempotent. */
export function planInterface(grant: SessionGrant): string[] {
  const tunnel = interfaceName(grant.interface);
  return [
    ...grant.addresses.map((address) =>
      `address replace ${withPrefix(address)} dev ${tunnel} noprefixroute`
    ),
    `link set ${tunnel} mtu ${grant.mtu} up`,
  ];
}

function withPrefix(address: string): string {
  return address.includes("/") ? address : `${address}/${address.includes(":") ? 128 : 32}`;
}

/** The box's own addresses on the LAN, each with its network. */
function lanNetworks({ address, address6 }: GatewayConfig["lan"], family: Family): IpNetwork[] {
  return networks([address, ...(address6 === undefined ? [] : [address6])], family);
}

/** In the tunnel; each once, since the kernel refuses a rule that is there already. */
function ownAddresses({ addresses }: SessionGrant, family: Family): string[] {
  return [...new Set(networks(addresses, family).map(({ bytes }) => formatAddress(bytes)))];
}

function networks(texts: readonly string[], family: Family): IpNetwork[] {
  const wanted = family === "-4" ? 4 : 6;
  return texts.map(network).filter((one) => one.family === wanted);
}

/** @throws {TypeError}: unchecked text never gets into a command. */
function network(text: string): IpNetwork {
  const parsed = parseNetwork(text);
  if (parsed !== undefined) return parsed;
  throw new TypeError(`Cannot plan routes: ${JSON.stringify(text)} is no address or network`);
}
