/**
 * The switch's plan: a configuration and a session's grant (or none: locked) go in, the whole
 * nftables ruleset comes out as text. No I/O, no clock.
 *
 * A terminal's packet passes `spoofing` (before anything is tracked), `marking` (is it for the
 * tunnel?), `redirecting` (DNS and the portal), `deciding` (refuse at once what has no way out, so
 * that no program hangs), then the routes, then `forwarding`, which drops whatever isn't allowed by
 * name. No rule lets an outward packet pass for belonging to a known connection: each is held
 * against the session of now.
 */
import type { SessionGrant } from "./grant.ts";
import {
  COUNTED_TERMINALS,
  GUARD_SECONDS,
  LEARNED_ADDRESSES,
  SESSION_DNS_PORT,
  SESSION_MARK,
  TABLE,
  TUNNEL_MARK,
} from "./numbers.ts";
import {
  byFamily,
  interfaceName,
  lanNetworks,
  type SessionScope,
  sessionScope,
  type SwitchConfig,
} from "./scope.ts";

export interface PlanInput {
  readonly config: SwitchConfig;
  /** Undefined: locked. */
  readonly grant?: SessionGrant | undefined;
  /** Group id of the box's DNS processes: what they may send out is then held to the session too. */
  readonly dnsGroup?: number | undefined;
}

/** Reasons for which packets are refused; each is a counter of the ruleset. */
export const DROP_REASONS = [
  "terminal-to-outside",
  "ipv6",
  "not-in-profile",
  "dns",
  "spoofed-source",
  "tunnel-down",
  "terminal-to-box",
  "inbound",
  "other-interface",
] as const;
export type DropReason = typeof DROP_REASONS[number];

/** One transaction that replaces the table, whatever was there before. */
export function planRuleset(input: PlanInput): string {
  const scene = sceneOf(input);
  return [
    `add table ${TABLE}`,
    `delete table ${TABLE}`,
    block(`table ${TABLE}`, [
      ...DROP_REASONS.map((reason) => `counter ${reason} { }`),
      ...sets(scene),
      ...refusing(scene),
      ...spoofing(scene),
      ...marking(scene),
      ...redirecting(scene),
      ...deciding(scene),
      ...forwarding(scene),
      ...entering(scene),
      ...leaving(scene),
      ...masking(scene),
    ]),
    "",
  ].join("\n");
}

/** Says "the gateway lives" for another while: the element is made anew, as kernels before 6.12 don't prolong one. */
export function planRefresh(config: SwitchConfig): string {
  const element = (timeout: string) =>
    `element ${TABLE} alive { "${interfaceName(config.internet.interface)}"${timeout} }`;
  const fresh = element(` timeout ${GUARD_SECONDS}s`);
  return `add ${fresh}\ndelete ${element("")}\nadd ${fresh}\n`;
}

interface Scene {
  readonly config: SwitchConfig;
  readonly lan: string;
  readonly internet: string;
  readonly session: SessionScope | undefined;
  readonly dnsGroup: number | undefined;
}

function sceneOf({ config, grant, dnsGroup }: PlanInput): Scene {
  return {
    config,
    lan: quoted(config.lan.interface),
    internet: quoted(config.internet.interface),
    session: grant === undefined ? undefined : sessionScope(grant),
    dnsGroup,
  };
}

function sets({ config, internet, session }: Scene): string[] {
  const lan = lanNetworks(config);
  const none = { v4: [], v6: [] };
  const destinations = session?.destinations ?? none;
  const network = (name: string, type: string, elements: readonly string[]) =>
    block(`set ${name}`, [`type ${type}; flags interval;`, ...listed(elements)]);
  const learned = (name: string, type: string) =>
    block(`set ${name}`, [`type ${type}; size ${LEARNED_ADDRESSES};`]);
  const traffic = (name: string, type: string) =>
    block(`set ${name}`, [`type ${type}; size ${COUNTED_TERMINALS}; flags dynamic; counter;`]);
  return [
    network("lan4", "ipv4_addr", lan.v4),
    network("lan6", "ipv6_addr", lan.v6),
    network("destinations4", "ipv4_addr", destinations.v4),
    network("destinations6", "ipv6_addr", destinations.v6),
    learned("learned4", "ipv4_addr"),
    learned("learned6", "ipv6_addr"),
    block("set alive", [
      "type ifname; flags timeout;",
      ...listed(session?.direct ? [`${internet} timeout ${GUARD_SECONDS}s`] : []),
    ]),
    traffic("sent4", "ipv4_addr"),
    traffic("sent6", "ipv6_addr"),
    traffic("received4", "ipv4_addr"),
    traffic("received6", "ipv6_addr"),
  ];
}

/** Says no at once, and counts why. */
function refusing({ session }: Scene): string[] {
  return [
    block("chain refuse", [
      `meta l4proto { tcp, udp } th dport { 53, 853 } ${count("dns")} goto answer`,
      ...(session === undefined ? [`meta nfproto ipv6 ${count("ipv6")} goto answer`] : []),
      `${count(session === undefined ? "terminal-to-outside" : "not-in-profile")} goto answer`,
    ]),
    block("chain unreachable", [
      "meta l4proto tcp reject with tcp reset",
      "reject with icmpx host-unreachable",
    ]),
    block("chain answer", [
      "meta l4proto tcp reject with tcp reset",
      "reject with icmpx admin-prohibited",
    ]),
  ];
}

/** A source that can't be there is dropped before it is tracked. */
function spoofing({ lan }: Scene): string[] {
  return [
    block("chain spoofing", [
      "type filter hook prerouting priority raw; policy accept;",
      `iifname ${lan} ip saddr != @lan4 ip saddr != 0.0.0.0 ${count("spoofed-source")} drop`,
      `iifname ${lan} ip saddr 0.0.0.0 udp dport != 67 ${count("spoofed-source")} drop`,
      `iifname ${lan} ip6 saddr != @lan6 ip6 saddr != :: ${count("spoofed-source")} drop`,
      `iifname != { ${lan}, "lo" } ip saddr @lan4 ${count("spoofed-source")} drop`,
      `iifname != { ${lan}, "lo" } ip6 saddr @lan6 ip6 saddr != fe80::/10 ${
        count("spoofed-source")
      } drop`,
    ]),
  ];
}

/** What must use the tunnel is marked, which binds it to a table with no other way out. */
function marking({ lan, session }: Scene): string[] {
  const mark = `meta mark set ${hex(TUNNEL_MARK)}`;
  return [
    block("chain marking", [
      "type filter hook prerouting priority mangle; policy accept;",
      `iifname != ${lan} accept`,
      "meta mark set 0",
      "ip daddr @lan4 accept",
      "ip6 daddr @lan6 accept",
      ...(session === undefined ? [] : [
        `ip daddr @destinations4 ${mark}`,
        `ip6 daddr @destinations6 ${mark}`,
        `ip daddr @learned4 ${mark}`,
        `ip6 daddr @learned6 ${mark}`,
      ]),
    ]),
  ];
}

/** Every DNS question comes to the box; with no session, plain HTTP to anywhere gets the portal. */
function redirecting({ config, lan, session }: Scene): string[] {
  const { httpPort, httpsPort } = config.portal;
  const dns = session === undefined ? 53 : SESSION_DNS_PORT;
  const own = "fib daddr type local";
  return [
    block("chain redirecting", [
      "type nat hook prerouting priority dstnat; policy accept;",
      `iifname != ${lan} accept`,
      `meta l4proto { tcp, udp } th dport 53 ct mark set ${hex(SESSION_MARK)} redirect to :${dns}`,
      `tcp dport 80 ${session === undefined ? "" : `${own} `}redirect to :${httpPort}`,
      ...(httpsPort === 443 ? [] : [`${own} tcp dport 443 redirect to :${httpsPort}`]),
    ]),
  ];
}

function deciding({ lan, session }: Scene): string[] {
  const rules = session === undefined ? ["goto refuse"] : [
    // Without its interface the tunnel's table has no way: said at once, as the kernel's own answer
    // to an unreachable route is limited to a few a second.
    `meta mark ${hex(TUNNEL_MARK)} fib daddr . mark oifname != ${quoted(session.interface)} ${
      count("tunnel-down")
    } goto unreachable`,
    `meta mark ${hex(TUNNEL_MARK)} accept`,
    ...(session.direct
      ? ["meta l4proto { tcp, udp } th dport 853 goto refuse", "accept"]
      : ["goto refuse"]),
  ];
  return [
    block("chain deciding", [
      "type filter hook prerouting priority filter; policy accept;",
      `iifname != ${lan} accept`,
      "fib daddr type { local, broadcast, multicast, anycast } accept",
      ...rules,
    ]),
  ];
}

function forwarding({ lan, internet, session }: Scene): string[] {
  const sent = ["update @sent4 { ip saddr counter }", "update @sent6 { ip6 saddr counter }"];
  const got = ["update @received4 { ip daddr counter }", "update @received6 { ip6 daddr counter }"];
  const outward: string[] = [];
  const inward: string[] = [];
  if (session !== undefined) {
    const tunnel = quoted(session.interface);
    for (const family of ["v4", "v6"] as const) {
      if (session.own[family].length === 0) continue;
      const proto = family === "v4" ? "ipv4" : "ipv6";
      outward.push(
        `meta mark ${hex(TUNNEL_MARK)} meta nfproto ${proto} oifname ${tunnel} goto pass_out`,
      );
    }
    outward.push(`meta mark ${hex(TUNNEL_MARK)} ${count("tunnel-down")} goto unreachable`);
    inward.push(`iifname ${tunnel} ct state established,related goto pass_in`);
    if (session.direct) {
      outward.push(`oifname @alive goto pass_out`);
      inward.push(`iifname ${internet} ct state established,related goto pass_in`);
    }
  }
  return [
    block("chain pass_out", [`ct mark set ${hex(SESSION_MARK)}`, ...sent, "accept"]),
    block("chain pass_in", [...got, "accept"]),
    block("chain outward", [...outward, "goto refuse"]),
    block("chain inward", [...inward, `${count("inbound")} drop`]),
    block("chain forwarding", [
      "type filter hook forward priority filter; policy drop;",
      ...clamping(session),
      `iifname ${lan} oifname != ${lan} goto outward`,
      `iifname != ${lan} oifname ${lan} goto inward`,
      `${count("other-interface")} drop`,
    ]),
  ];
}

/** TCP learns the tunnel's packet size at once, both ways: an ICMP message may never come. */
function clamping(session: SessionScope | undefined): string[] {
  if (session === undefined) return [];
  const rule = (direction: string, proto: string, header: number) => {
    const size = session.mtu - header;
    return `${direction} ${quoted(session.interface)} meta nfproto ${proto} tcp flags syn ` +
      `tcp option maxseg size > ${size} tcp option maxseg size set ${size}`;
  };
  return ["oifname", "iifname"].flatMap((direction) => [
    rule(direction, "ipv4", 40),
    rule(direction, "ipv6", 60),
  ]);
}

/** What may reach the box itself. An interface that isn't configured is treated as the Internet. */
function entering({ config, lan, session }: Scene): string[] {
  const { httpPort, httpsPort } = config.portal;
  const services = [...new Set([httpPort, httpsPort, config.panel.port])].join(", ");
  const neighbours = "nd-neighbor-solicit, nd-neighbor-advert";
  const tunnel = session === undefined ? [] : [
    `iifname ${quoted(session.interface)} goto from_tunnel`,
  ];
  const port = session?.port === undefined ? [] : [`udp dport ${session.port} accept`];
  return [
    block("chain from_lan", [
      "meta nfproto ipv4 udp dport 67 accept",
      "meta nfproto ipv6 udp dport 547 accept",
      "icmp type echo-request accept",
      `icmpv6 type { echo-request, ${neighbours}, nd-router-solicit } accept`,
      "icmpv6 type { mld-listener-query, mld-listener-report, mld-listener-done, mld2-listener-report } accept",
      `meta l4proto { tcp, udp } th dport { 53, ${SESSION_DNS_PORT} } accept`,
      `tcp dport { ${services} } accept`,
      "ct state established,related accept",
      "meta pkttype != host drop",
      `${count("terminal-to-box")} goto answer`,
    ]),
    block("chain from_tunnel", [
      "ct state established,related accept",
      "icmp type echo-request accept",
      "icmpv6 type echo-request accept",
      `${count("inbound")} drop`,
    ]),
    block("chain from_internet", [
      "ct state established,related accept",
      "udp sport 67 udp dport 68 accept",
      "ip6 saddr fe80::/10 udp dport 546 accept",
      `icmpv6 type { ${neighbours}, nd-router-advert } ip6 hoplimit 255 accept`,
      "icmpv6 type { mld-listener-query } accept",
      ...port,
      "meta pkttype != host drop",
      `${count("inbound")} drop`,
    ]),
    block("chain entering", [
      "type filter hook input priority filter; policy drop;",
      `iifname "lo" accept`,
      `iifname ${lan} goto from_lan`,
      ...tunnel,
      "goto from_internet",
    ]),
  ];
}

/** The box asks names for terminals only where the session lets their packets go. */
function leaving({ config, lan, internet, session, dnsGroup }: Scene): string[] {
  // A tunnel that has just gone leaves no trace: its server isn't told that nobody listens any more.
  const silent = ["icmp type destination-unreachable", "icmpv6 type destination-unreachable"]
    .map((match) => `oifname ${internet} ${match} drop`);
  const ways = [lan, `"lo"`, ...(session === undefined ? [] : [quoted(session.interface)])];
  return [
    ...(dnsGroup === undefined ? [] : asking({ config, session })),
    block("chain leaving", [
      "type filter hook output priority filter; policy accept;",
      ...silent,
      ...(dnsGroup === undefined
        ? []
        : [`meta skgid ${dnsGroup} oifname != { ${ways.join(", ")} } goto asking`]),
    ]),
  ];
}

/** What the box's DNS processes may ask beyond the LAN. */
function asking({ config, session }: Pick<Scene, "config" | "session">): string[] {
  const asks: string[] = [];
  if (session?.direct) {
    const { v4, v6 } = byFamily(config.internet.dns);
    const ask = (match: string, to: readonly string[]) =>
      to.length === 0 ? [] : [
        `oifname @alive ${match} { ${to.join(", ")} } meta l4proto { tcp, udp } th dport 53 accept`,
      ];
    asks.push(...ask("ip daddr", v4), ...ask("ip6 daddr", v6));
  }
  return [block("chain asking", [...asks, `${count("dns")} drop`])];
}

/** Terminals are seen as the box: as the profile's address in the tunnel, as its own on the Internet. */
function masking({ lan, internet, session }: Scene): string[] {
  if (session === undefined) return [];
  const tunnel = quoted(session.interface);
  return [
    block("chain masking", [
      "type nat hook postrouting priority srcnat; policy accept;",
      `iifname != ${lan} accept`,
      ...session.own.v4.map((to) => `oifname ${tunnel} meta nfproto ipv4 snat ip to ${to}`),
      ...session.own.v6.map((to) => `oifname ${tunnel} meta nfproto ipv6 snat ip6 to ${to}`),
      ...(session.direct ? [`oifname ${internet} masquerade`] : []),
    ]),
  ];
}

function count(reason: DropReason): string {
  return `counter name "${reason}"`;
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}

function quoted(name: string): string {
  return `"${interfaceName(name)}"`;
}

function listed(elements: readonly string[]): string[] {
  return elements.length === 0 ? [] : [`elements = { ${elements.join(", ")} }`];
}

function block(head: string, lines: readonly string[]): string {
  const body = lines.flatMap((line) => line.split("\n")).map((line) => `\t${line}`);
  return [`${head} {`, ...body, "}"].join("\n");
}
