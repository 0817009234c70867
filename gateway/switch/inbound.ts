/**
 * What may be begun through the tunnel: what the profile's issuer allows and the gateway's administrator
 * leads somewhere. Both go in, and only what both want comes out. No I/O.
 */
import { formatAddress, formatNetwork, parseNetwork } from "../../os/ip_network.ts";
import { type InboundRule, parseInboundRule } from "../../token/profile/inbound.ts";
import type { InboundConfig, InboundForward } from "../config/gateway_config.ts";
import type { SessionGrant } from "./grant.ts";

type Family = 4 | 6;

/** A port of the box's address in the tunnel that leads to a terminal, for one network inside. */
export interface Opening {
  readonly family: Family;
  readonly from: string;
  readonly protocol: "tcp" | "udp";
  /** The box's own address in the tunnel. */
  readonly own: string;
  readonly port: number;
  readonly terminal: string;
  readonly terminalPort: number;
}

/** A network inside whose pings to its own address in the tunnel the box answers. */
export interface Ping {
  readonly family: Family;
  readonly from: string;
  readonly own: string;
}

export interface Inbound {
  readonly openings: readonly Opening[];
  readonly pings: readonly Ping[];
}

/** What the panel shows: a rule of the profile, and who is reached by it. */
export interface InboundView {
  readonly rule: string;
  /** Addresses with ports; empty: nobody answers. */
  readonly to: readonly string[];
}

/** @throws {TypeError} for a rule or address that is none: never make a ruleset of unchecked text. */
export function planInbound(config: InboundConfig | undefined, grant: SessionGrant): Inbound {
  const parts = (grant.inbound ?? []).map((text) => ofRule(rule(text), { config, grant }));
  return {
    openings: distinct(parts.flatMap(({ openings }) => openings)),
    pings: distinct(parts.flatMap(({ pings }) => pings)),
  };
}

/** The same for people, rule by rule. */
export function viewInbound(
  config: InboundConfig | undefined,
  grant: SessionGrant,
): InboundView[] {
  return (grant.inbound ?? []).map((text) => {
    const { openings, pings } = ofRule(rule(text), { config, grant });
    const to = openings.map(({ family, terminal, terminalPort }) =>
      `${family === 6 ? `[${terminal}]` : terminal}:${terminalPort}`
    );
    return { rule: text, to: [...to, ...pings.map(({ own }) => own)] };
  });
}

function ofRule(
  rule: InboundRule,
  { config, grant }: { config: InboundConfig | undefined; grant: SessionGrant },
): Inbound {
  const { family } = rule.from;
  const own = ownAddress(grant, family);
  const none = { openings: [], pings: [] };
  if (own === undefined || config === undefined) return none;
  const from = { family, from: formatNetwork(rule.from), own };
  if (rule.protocol === "icmp") return { ...none, pings: config.ping ? [from] : [] };
  const { protocol, ports } = rule;
  const leads = (one: InboundForward) =>
    one.protocol === protocol && one.terminal.includes(":") === (family === 6) &&
    ports.first <= one.port && one.port <= ports.last;
  return {
    ...none,
    openings: config.forward.filter(leads).map(({ port, terminal, terminalPort }) => ({
      ...{ ...from, protocol, port: whole(port) },
      ...{ terminal: address(terminal), terminalPort: whole(terminalPort) },
    })),
  };
}

/** The first of a family, as terminals are masked by it. */
function ownAddress({ addresses }: SessionGrant, family: Family): string | undefined {
  return addresses.map(address).find((text) => text.includes(":") === (family === 6));
}

function distinct<T>(items: readonly T[]): T[] {
  return [...new Map(items.map((item) => [JSON.stringify(item), item])).values()];
}

function rule(text: string): InboundRule {
  const parsed = parseInboundRule(text);
  if (parsed !== undefined) return parsed;
  throw new TypeError(`Cannot plan the switch: ${JSON.stringify(text)} is no rule`);
}

function address(text: string): string {
  const parsed = parseNetwork(text);
  if (parsed !== undefined) return formatAddress(parsed.bytes);
  throw new TypeError(`Cannot plan the switch: ${JSON.stringify(text)} is no address`);
}

function whole(port: number): number {
  if (Number.isInteger(port) && port > 0 && port <= 65_535) return port;
  throw new TypeError(`Cannot plan the switch: ${port} is no port`);
}
