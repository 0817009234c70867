/**
 * The LAN's services as dnsmasq configurations: text out, no I/O.
 *
 * Two processes: one is always there (DHCP, router advertisements, and a DNS that answers every name
 * with the box itself), the other lives as long as a session (real names, and only where the session
 * lets terminals go). Source: dnsmasq(8); RFC 8910 (portal announced by DHCP).
 */
import { isIPv4, isIPv6 } from "node:net";
import { formatAddress, formatNetwork, maskOf, parseNetwork } from "../../os/ip_network.ts";
import type { GatewayConfig } from "../config/gateway_config.ts";
import type { SessionGrant } from "../switch/grant.ts";
import { SESSION_DNS_PORT, TABLE } from "../switch/numbers.ts";

export type LanConfig = Pick<
  GatewayConfig,
  "name" | "state" | "run" | "lan" | "internet" | "portal" | "inbound" | "passkeys"
>;

/** DHCP option 114 and DHCPv6 option 103: where terminals ask whether they are captive (RFC 8908). */
const PORTAL_OPTION_4 = 114;
const PORTAL_OPTION_6 = 103;
const CAPTIVE_PATH = "/captive-portal/api";

/** Names that mean the box itself, in every state. */
export function boxNames({ name, passkeys }: Pick<LanConfig, "name" | "passkeys">): string[] {
  const names = ["sekisho.internal", `${name}.internal`];
  return passkeys === undefined || names.includes(passkeys.name)
    ? names
    : [...names, passkeys.name];
}

/** The box's addresses on the LAN, without prefix lengths. */
export function boxAddresses({ lan }: Pick<LanConfig, "lan">): string[] {
  const texts = [lan.address, ...(lan.address6 === undefined ? [] : [lan.address6])];
  return texts.map((text) => text.split("/")[0] ?? "");
}

/** Where dnsmasq keeps its leases; outlives a restart. */
export function leaseFile(config: LanConfig): string {
  return `${config.state}/leases/dnsmasq.leases`;
}

export function planLockedDns(config: LanConfig): string {
  return file([
    ...common(config, 53),
    // Every name is the box, and is forgotten at once.
    ...boxAddresses(config).map((address) => `address=/#/${address}`),
    "local-ttl=0",
    "cache-size=0",
    ...dhcp(config),
    ...dhcp6(config),
  ]);
}

/** @throws {TypeError} for a domain or address that is none: never make a configuration of unchecked text. */
export function planSessionDns(config: LanConfig, grant: SessionGrant): string {
  const domains = grant.domains.map(domain);
  const behind = grant.dns.map((text) => `${address(text)}@${grant.interface}`);
  // A profile that names no domain but brings resolvers wants them for every name, as wg-quick does.
  const all = domains.length === 0 && behind.length > 0;
  const elsewhere = !all && grant.otherTraffic === "direct" ? config.internet.dns.map(address) : [];
  const scope = `/${domains.join("/")}/`;
  return file([
    ...common(config, SESSION_DNS_PORT),
    "cache-size=1000",
    ...boxNames(config).flatMap((name) =>
      boxAddresses(config).map((own) => `address=/${name}/${own}`)
    ),
    // Asked for by browsers: no encrypted DNS around the box, whose answers fill the tunnel's sets.
    "local=/use-application-dns.net/",
    ...(all ? behind.map((server) => `server=${server}`) : []),
    ...(domains.length === 0 ? [] : [
      ...behind.map((server) => `server=${scope}${server}`),
      // With no resolver of its own, a domain is asked where the others are.
      `nftset=${scope}${nftSets()}`,
    ]),
    ...elsewhere.map((server) => `server=${server}`),
  ]);
}

function common({ lan }: LanConfig, port: number): string[] {
  return [
    `port=${port}`,
    `interface=${lan.interface}`,
    "except-interface=lo",
    "bind-dynamic",
    "no-resolv",
    "no-hosts",
    "no-poll",
    "log-facility=-",
  ];
}

function dhcp(config: LanConfig): string[] {
  const { lan } = config;
  if (lan.dhcp === undefined) return [];
  const [own = ""] = boxAddresses(config);
  const { from, to, lease } = lan.dhcp;
  return [
    `dhcp-range=${from},${to},${netmask(lan.address)},${lease}`,
    "dhcp-authoritative",
    `dhcp-leasefile=${leaseFile(config)}`,
    "dhcp-lease-max=1000",
    ...reservations(config),
    `dhcp-option=option:router,${own}`,
    `dhcp-option=option:dns-server,${own}`,
    `dhcp-option=${PORTAL_OPTION_4},${captiveUrl(config, own)}`,
  ];
}

/** Terminals to which something is led stay where they are. */
function reservations({ inbound }: LanConfig): string[] {
  const hosts = (inbound?.forward ?? []).flatMap(({ mac, terminal }) => {
    if (mac === undefined) return [];
    if (/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(mac)) {
      return [`dhcp-host=${mac},${address(terminal)}`];
    }
    throw new TypeError(`Cannot plan the LAN: ${JSON.stringify(mac)} is no hardware address`);
  });
  return [...new Set(hosts)];
}

function dhcp6(config: LanConfig): string[] {
  const { lan } = config;
  const [, own] = boxAddresses(config);
  const network = lan.address6 === undefined ? undefined : parseNetwork(lan.address6);
  if (own === undefined || network === undefined) return [];
  return [
    "enable-ra",
    `dhcp-range=${formatNetwork(network).split("/")[0]},ra-stateless,${network.prefix},12h`,
    `dhcp-option=option6:dns-server,[${own}]`,
    `dhcp-option=option6:${PORTAL_OPTION_6},${captiveUrl(config, `[${own}]`)}`,
  ];
}

function captiveUrl({ portal }: LanConfig, host: string): string {
  const port = portal.httpsPort === 443 ? "" : `:${portal.httpsPort}`;
  return `https://${host}${port}${CAPTIVE_PATH}`;
}

function nftSets(): string {
  const table = TABLE.replace(" ", "#");
  return `4#${table}#learned4,6#${table}#learned6`;
}

function netmask(text: string): string {
  const network = parseNetwork(text);
  if (network === undefined) throw new TypeError(`Cannot plan the LAN: ${text} is no network`);
  return formatAddress(maskOf(network));
}

function domain(text: string): string {
  const label = "[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?";
  const name = text.toLowerCase().replace(/^\*?\./, "").replace(/\.$/, "");
  if (new RegExp(`^${label}(\\.${label})*$`).test(name) && name.length <= 253) return name;
  throw new TypeError(`Cannot plan the LAN's DNS: ${JSON.stringify(text)} is no domain`);
}

function address(text: string): string {
  if (isIPv4(text) || (isIPv6(text) && !text.includes("%"))) return text;
  throw new TypeError(`Cannot plan the LAN's DNS: ${JSON.stringify(text)} is no IP address`);
}

function file(lines: readonly string[]): string {
  return ["# Written by Sekisho at each start; changes here are lost.", ...lines, ""].join("\n");
}
