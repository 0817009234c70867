/**
 * The rules of what is begun through the tunnel. Every packet of such a connection, there and back, is
 * held against what the session allows now; a way back is for answers only. No I/O.
 */
import type { Opening } from "./inbound.ts";
import { TUNNEL_MARK } from "./numbers.ts";
import { block, hex, quoted, type Scene } from "./ruleset_text.ts";
import type { SessionScope } from "./scope.ts";

/** What comes out of the tunnel to the box's own address is led to its terminal; in `redirecting`. */
export function arriving({ session, connectionMark }: Scene): string[] {
  if (session === undefined || session.inbound.openings.length === 0) return [];
  return [
    block("chain arriving", [
      ...session.inbound.openings.map(({ family, from, own, protocol, port, ...to }) => {
        const ip = word(family);
        const terminal = family === 6 ? `[${to.terminal}]` : to.terminal;
        return `${ip} saddr ${from} ${ip} daddr ${own} ${protocol} dport ${port} ` +
          `ct mark set ${hex(connectionMark)} dnat ${ip} to ${terminal}:${to.terminalPort}`;
      }),
      "accept",
    ]),
  ];
}

/** A terminal's answers go where the questions came from, by the tunnel and by nothing else. */
export function answersOfTerminals(scene: Scene, session: SessionScope): string[] {
  const ours = oursIn(scene);
  const mark = `meta mark set ${hex(TUNNEL_MARK)}`;
  const errors = new Map<string, Opening>();
  for (const opening of session.inbound.openings) {
    errors.set(`${opening.terminal} ${opening.from}`, opening);
  }
  return [
    ...session.inbound.openings.map(({ family, from, protocol, terminal, terminalPort }) =>
      `${ours} ct direction reply ct status dnat ${word(family)} saddr ${terminal} ` +
      `${word(family)} daddr ${from} ${protocol} sport ${terminalPort} ${mark}`
    ),
    ...[...errors.values()].map(({ family, from, terminal }) =>
      `${ours} ct state related ct status dnat ${word(family)} saddr ${terminal} ` +
      `${word(family)} daddr ${from} meta l4proto ${icmp(family)} ${mark}`
    ),
  ];
}

/** To the terminal, in `inward`; only what `arriving` led there. */
export function toTerminals(scene: Scene, session: SessionScope): string[] {
  const ours = oursIn(scene);
  return session.inbound.openings.map(({ family, from, protocol, terminal, terminalPort }) =>
    `iifname ${quoted(session.interface)} ${ours} ct status dnat ${word(family)} saddr ${from} ` +
    `${word(family)} daddr ${terminal} ${protocol} dport ${terminalPort} goto pass_in`
  );
}

/** Pings to the box, in `from_tunnel`. */
export function pingsToBox({ connectionMark }: Scene, session: SessionScope): string[] {
  return session.inbound.pings.map(({ family, from, own }) =>
    `${word(family)} saddr ${from} ${word(family)} daddr ${own} ${echo(family)}-request ` +
    `ct mark set ${hex(connectionMark)} accept`
  );
}

/**
 * What the box itself says to who is behind the tunnel leaves by the tunnel: answers to pings, and errors,
 * which quote the packet that they are about. By the box's own routes it would leave in the clear. The
 * type of this chain makes the kernel look for the way anew.
 */
export function answersOfBox(scene: Scene): string[] {
  const { lan, session } = scene;
  if (session === undefined) return [];
  const ours = oursIn(scene);
  const { openings, pings } = session.inbound;
  const mark = `meta mark set ${hex(TUNNEL_MARK)}`;
  const callers = new Map([...openings, ...pings].map((one) => [one.from, one.family]));
  const error = (family: 4 | 6, to: string) =>
    `${ERRORS[family]} ${word(family)} daddr ${to} ${mark}`;
  return [
    block("chain answering", [
      "type route hook output priority mangle; policy accept;",
      `oifname { ${lan}, "lo" } accept`,
      ...pings.map(({ family, from, own }) =>
        `${ours} ct direction reply ${word(family)} saddr ${own} ${word(family)} daddr ${from} ` +
        `${echo(family)}-reply ${mark}`
      ),
      ...([4, 6] as const).flatMap((family) => [
        error(family, `@destinations${family}`),
        error(family, `@learned${family}`),
      ]),
      ...[...callers].map(([from, family]) => error(family, from)),
    ]),
  ];
}

const ERRORS = {
  4: "icmp type { destination-unreachable, time-exceeded, parameter-problem }",
  6: "icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem }",
};

function oursIn({ connectionMark }: Scene): string {
  return `ct mark ${hex(connectionMark)}`;
}

function word(family: 4 | 6): string {
  return family === 4 ? "ip" : "ip6";
}

function icmp(family: 4 | 6): string {
  return family === 4 ? "icmp" : "ipv6-icmp";
}

function echo(family: 4 | 6): string {
  return family === 4 ? "icmp type echo" : "icmpv6 type echo";
}
