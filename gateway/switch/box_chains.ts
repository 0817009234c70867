/** The chains of what enters and leaves the box itself. No I/O. */
import { pingsToBox } from "./inbound_chains.ts";
import { SESSION_DNS_PORT, TUNNEL_MARK, WEB_CONNECTIONS } from "./numbers.ts";
import { block, count, hex, quoted, type Scene } from "./ruleset_text.ts";
import { byFamily } from "./scope.ts";

/** What may reach the box itself. An interface that isn't configured is treated as the Internet. */
export function entering(scene: Scene): string[] {
  const { config, lan, session } = scene;
  const { httpPort, httpsPort } = config.portal;
  const reader = config.share?.readerPort === undefined ? [] : [config.share.readerPort];
  const services = [...new Set([httpPort, httpsPort, config.panel.port, ...reader])].join(", ");
  const neighbours = "nd-neighbor-solicit, nd-neighbor-advert";
  const tunnel = session === undefined ? [] : [
    `iifname ${quoted(session.interface)} goto from_tunnel`,
  ];
  // Each costs the box memory for as long as somebody holds it open.
  const { each, all } = WEB_CONNECTIONS;
  const crowd = ["add @web4 { ip saddr", "add @web6 { ip6 saddr"].map((set) =>
    `${set} ct count over ${each} }`
  );
  const crowding = [...crowd, `ct count over ${all}`].map((match) =>
    `tcp dport { ${services} } ct state new ${match} ${count("terminal-to-box")} goto answer`
  );
  return [
    block("chain from_lan", [
      "meta nfproto ipv4 udp dport 67 accept",
      "meta nfproto ipv6 udp dport 547 accept",
      "icmp type echo-request accept",
      `icmpv6 type { echo-request, ${neighbours}, nd-router-solicit } accept`,
      "icmpv6 type { mld-listener-query, mld-listener-report, mld-listener-done, mld2-listener-report } accept",
      `meta l4proto { tcp, udp } th dport { 53, ${SESSION_DNS_PORT} } accept`,
      ...crowding,
      `tcp dport { ${services} } accept`,
      "ct state established,related accept",
      "meta pkttype != host drop",
      `${count("terminal-to-box")} goto answer`,
    ]),
    block("chain from_tunnel", [
      "ct state established,related accept",
      ...(session === undefined ? [] : pingsToBox(scene, session)),
      `${count("inbound")} drop`,
    ]),
    block("chain from_internet", [
      "ct state established,related accept",
      "udp sport 67 udp dport 68 accept",
      "ip6 saddr fe80::/10 udp dport 546 accept",
      `icmpv6 type { ${neighbours}, nd-router-advert } ip6 hoplimit 255 accept`,
      "icmpv6 type { mld-listener-query } accept",
      ...speakingFirst(session),
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

/** The hub may begin a handshake where that may lead to something. */
function speakingFirst(session: Scene["session"]): string[] {
  if (session?.listening === undefined) return [];
  const { port, peers } = session.listening;
  const from = (match: string, addresses: readonly string[]) =>
    addresses.length === 0 ? [] : [`${match} { ${addresses.join(", ")} } udp dport ${port} accept`];
  return [...from("ip saddr", peers.v4), ...from("ip6 saddr", peers.v6)];
}

/** The box asks names for terminals only where the session lets their packets go. */
export function leaving({ config, lan, internet, session, dnsGroup }: Scene): string[] {
  // A tunnel that has just gone leaves no trace: its server isn't told that nobody listens any more.
  // Senders still learn a packet size that fits (in IPv6 that is a type of its own). No other error
  // says anything that the Internet needs, and each quotes what it is about.
  const silent = [
    "icmp type destination-unreachable icmp code != frag-needed",
    "icmp type { time-exceeded, parameter-problem }",
    "icmpv6 type { destination-unreachable, time-exceeded, parameter-problem }",
  ].map((match) => `oifname ${internet} ${match} drop`);
  const ways = [lan, `"lo"`, ...(session === undefined ? [] : [quoted(session.interface)])];
  return [
    ...(dnsGroup === undefined ? [] : asking({ config, session })),
    block("chain leaving", [
      "type filter hook output priority filter; policy accept;",
      // What was sent another way by its mark still has the name of its first one here.
      ...(session === undefined
        ? []
        : [`meta l4proto { icmp, ipv6-icmp } meta mark ${hex(TUNNEL_MARK)} accept`]),
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
