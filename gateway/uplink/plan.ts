/**
 * Policy routes as data: a session's grant (or none) goes in, lines for `ip -batch` come out.
 * No I/O.
 *
 * Packets with the tunnel's mark use TUNNEL_TABLE, the terminals' others OTHER_TABLE. Both end in
 * an unreachable default that no interface's end takes away: a tunnel that vanishes leaves "no
 * route" behind, never the Internet.
 */
import { OTHER_TABLE, TUNNEL_MARK, TUNNEL_TABLE } from "../switch/numbers.ts";
import { interfaceName } from "../switch/scope.ts";
import type { SessionGrant } from "../switch/grant.ts";

export const FAMILIES = ["-4", "-6"] as const;
export type Family = typeof FAMILIES[number];

/** Places of our rules: after the local table (0), before the main one (32766). */
export const RULE_PREFERENCES = [7000, 7010, 7020] as const;

/** Below every other route of its table. */
const LAST_METRIC = 4_278_198_272;
const FIRST_METRIC = 10;

/** The rules; each sends one kind of packet to its table. */
export function planRules(lan: string, tunnel: string): string[] {
  const [bound, marked, others] = RULE_PREFERENCES;
  return [
    // The box's own sockets that are bound to the tunnel: DNS questions for behind it.
    `rule add pref ${bound} oif ${interfaceName(tunnel)} lookup ${TUNNEL_TABLE}`,
    `rule add pref ${marked} fwmark ${TUNNEL_MARK} lookup ${TUNNEL_TABLE}`,
    `rule add pref ${others} iif ${interfaceName(lan)} lookup ${OTHER_TABLE}`,
  ];
}

/** No way out for anything; there before the rules, and for as long as they are. */
export function planFallbacks(): string[] {
  return [TUNNEL_TABLE, OTHER_TABLE].map((table) =>
    `route replace unreachable default table ${table} metric ${LAST_METRIC}`
  );
}

/** The ways that a session opens, for one family. */
export function planOpen(grant: SessionGrant, family: Family): string[] {
  const tunnel = interfaceName(grant.interface);
  const has = grant.addresses.some((address) => address.includes(":") === (family === "-6"));
  return [
    ...(has
      ? [`route replace default dev ${tunnel} table ${TUNNEL_TABLE} metric ${FIRST_METRIC}`]
      : []),
    // "throw" means: as if this table weren't there, so the main table decides.
    ...(grant.otherTraffic === "direct"
      ? [`route replace throw default table ${OTHER_TABLE} metric ${FIRST_METRIC}`]
      : []),
  ];
}

/** Takes the session's ways away; a line fails where there is none, which is as good. */
export function planClose(): string[] {
  return [
    `route del default table ${TUNNEL_TABLE} metric ${FIRST_METRIC}`,
    `route del throw default table ${OTHER_TABLE} metric ${FIRST_METRIC}`,
  ];
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
