/**
 * What the inside may begin towards a client: rules as text, such as "tcp/8080@10.20.0.0/16",
 * "udp/5000-5010@10.20.0.7" or "icmp@fd20::/64". Hub and profile say it in the same words. No I/O.
 */
import { hasNoHostBits, type IpNetwork, parseNetwork } from "../../os/ip_network.ts";

/** What is expected, for messages. */
export const INBOUND_RULE =
  'a rule such as "tcp/8080@10.20.0.0/16", "udp/5000-5010@10.20.0.7" or "icmp@fd20::/64"';

/** Most rules of one client. */
export const MOST_INBOUND_RULES = 64;

/** Longest rule as text. */
export const LONGEST_INBOUND_RULE = 64;

/** Who may begin what. */
export type InboundRule =
  | { readonly protocol: "tcp" | "udp"; readonly ports: PortRange; readonly from: IpNetwork }
  /** Echo requests, and nothing else of ICMP. */
  | { readonly protocol: "icmp"; readonly from: IpNetwork };

/** Ports, both ends included. */
export interface PortRange {
  readonly first: number;
  readonly last: number;
}

const RULE = /^(?:(tcp|udp)\/([1-9]\d{0,4})(?:-([1-9]\d{0,4}))?|icmp)@([0-9A-Fa-f:./]+)$/;

/** Undefined for whatever is no rule. */
export function parseInboundRule(text: string): InboundRule | undefined {
  if (text.length > LONGEST_INBOUND_RULE) return undefined;
  const [, protocol, low, high = low, network] = RULE.exec(text) ?? [];
  const from = network === undefined ? undefined : parseNetwork(network);
  if (from === undefined || !hasNoHostBits(from)) return undefined;
  if (protocol !== "tcp" && protocol !== "udp") return { protocol: "icmp", from };
  const ports = { first: Number(low), last: Number(high) };
  return ports.first <= ports.last && ports.last <= 65_535 ? { protocol, ports, from } : undefined;
}
