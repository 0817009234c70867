/** The chains that a terminal's packet passes on its way out and back. No I/O. */
import {
  ADMITTED_MARK,
  SESSION_DNS_PORT,
  SESSION_MARK,
  SESSION_MARK_MASK,
  TUNNEL_MARK,
} from "./numbers.ts";
import { answersOfTerminals, toTerminals } from "./inbound_chains.ts";
import { block, count, hex, quoted, type Scene } from "./ruleset_text.ts";
import type { SessionScope } from "./scope.ts";

/** What a refused terminal is told; while an unlocking is under way nothing, so that it asks again. */
export function answering(isSuspended: boolean): string[] {
  return isSuspended
    ? ["drop"]
    : ["meta l4proto tcp reject with tcp reset", "reject with icmpx admin-prohibited"];
}

/** Says no at once, and counts why. */
export function refusing({ session }: Scene): string[] {
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
    block("chain answer", answering(false)),
  ];
}

/** A source that can't be there is dropped before it is tracked. */
export function spoofing({ lan }: Scene): string[] {
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
export function marking(scene: Scene): string[] {
  const { lan, session } = scene;
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
        ...answersOfTerminals(scene, session),
      ]),
    ]),
  ];
}

/** Every DNS question comes to the box; with no session, plain HTTP to anywhere gets the portal. */
export function redirecting({ config, lan, session, connectionMark }: Scene): string[] {
  const { httpPort, httpsPort } = config.portal;
  const dns = session === undefined ? 53 : SESSION_DNS_PORT;
  const own = "fib daddr type local";
  return [
    block("chain redirecting", [
      "type nat hook prerouting priority dstnat; policy accept;",
      ...(session === undefined || session.inbound.openings.length === 0
        ? []
        : [`iifname ${quoted(session.interface)} goto arriving`]),
      `iifname != ${lan} accept`,
      `meta l4proto { tcp, udp } th dport 53 ct mark set ${
        hex(connectionMark)
      } redirect to :${dns}`,
      `tcp dport 80 ${session === undefined ? "" : `${own} `}redirect to :${httpPort}`,
      ...(httpsPort === 443 ? [] : [`${own} tcp dport 443 redirect to :${httpsPort}`]),
    ]),
  ];
}

/** What has a way out, or back, gets the mark without which the routes forward nothing. */
export function deciding({ lan, internet, session, connectionMark }: Scene): string[] {
  const admit = `meta mark set ${hex(ADMITTED_MARK)} accept`;
  const rules = session === undefined ? ["goto refuse"] : [
    // Without its interface the tunnel's table has no way: said at once, as the kernel's own answer
    // to an unreachable route is limited to a few a second.
    `meta mark ${hex(TUNNEL_MARK)} fib daddr . mark oifname != ${quoted(session.interface)} ${
      count("tunnel-down")
    } goto unreachable`,
    `meta mark ${hex(TUNNEL_MARK)} accept`,
    ...(session.direct
      ? ["meta l4proto { tcp, udp } th dport 853 goto refuse", admit]
      : ["goto refuse"]),
  ];
  const outside = session === undefined
    ? []
    : [quoted(session.interface), ...(session.direct ? [internet] : [])];
  return [
    block("chain deciding", [
      "type filter hook prerouting priority filter; policy accept;",
      ...outside.map((name) => `iifname ${name} ct mark ${hex(connectionMark)} ${admit}`),
      `iifname != ${lan} accept`,
      "fib daddr type { local, broadcast, multicast, anycast } accept",
      ...rules,
    ]),
  ];
}

export function forwarding(scene: Scene): string[] {
  const { lan, internet, session, connectionMark } = scene;
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
    inward.push(...toTerminals(scene, session));
    inward.push(`iifname ${tunnel} ct state established,related goto pass_in`);
    if (session.direct) {
      outward.push(`oifname @alive goto pass_out`);
      inward.push(`iifname ${internet} ct state established,related goto pass_in`);
    }
  }
  return [
    block("chain pass_out", [
      // What an earlier ruleset let pass has that one's addresses until it is forgotten.
      `ct mark & ${hex(SESSION_MARK_MASK)} == ${hex(SESSION_MARK)} ct mark != ${
        hex(connectionMark)
      } drop`,
      `ct mark set ${hex(connectionMark)}`,
      ...sent,
      "accept",
    ]),
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

/** Terminals are seen as the box: as the profile's address in the tunnel, as its own on the Internet. */
export function masking({ lan, internet, session }: Scene): string[] {
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
