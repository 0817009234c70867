/**
 * What may pass between the tunnel and the networks behind the hub, as one nftables transaction:
 * configuration in, text out. Everything that isn't allowed is dropped, and traffic that has nothing
 * to do with the tunnel is left alone. @core
 */
import { formatNetwork, type IpNetwork, parseNetwork, withoutOverlaps } from "../os/ip_network.ts";
import { begunChains } from "./begun.ts";
import type { ClientConfig, HubConfig } from "./hub_config.ts";

export const TABLE = "inet sekisho_hub";

/**
 * Replaces the whole table, or makes it. `whereUnknown`: the clients of whom nobody knows where they
 * are.
 */
export function ruleset(
  config: HubConfig,
  { whereUnknown = [] }: { readonly whereUnknown?: readonly ClientConfig[] } = {},
): string {
  return `table ${TABLE} {}
delete table ${TABLE}
table ${TABLE} {
${families.map((family) => sets(config, family)).join("")}
  counter inward { }
  counter outward { }
  counter dropped { }
  counter begun { }
  counter unreachable { }
${begunChains(config, whereUnknown)}
  chain forward {
    type filter hook forward priority filter; policy drop;
    iifname != "${config.interface}" oifname != "${config.interface}" accept
    iifname "${config.interface}" ip saddr . ip daddr @allowed4 counter name inward accept
    iifname "${config.interface}" ip6 saddr . ip6 daddr @allowed6 counter name inward accept
    oifname "${config.interface}" ct state established ct direction reply ip daddr . ip saddr @allowed4 counter name outward accept
    oifname "${config.interface}" ct state established ct direction reply ip6 daddr . ip6 saddr @allowed6 counter name outward accept
    iifname "${config.interface}" ct state established,related jump answer
    oifname "${config.interface}" ct state related meta l4proto { icmp, ipv6-icmp } counter name outward accept
    oifname "${config.interface}" ct state new,established jump begin
    counter name dropped
  }

  chain input {
    type filter hook input priority filter; policy accept;
    iifname != "${config.interface}" accept
    ct state established,related accept
    ip saddr . ip daddr @allowed4 accept
    ip6 saddr . ip6 daddr @allowed6 accept
    icmp type echo-request accept
    icmpv6 type echo-request accept
    counter name dropped drop
  }
${config.masquerade ? masquerade(config) : ""}}
`;
}

/** Takes the table away; for a hub that has no clients any more because it ends. */
export function noRuleset(): string {
  return `table ${TABLE} {}\ndelete table ${TABLE}\n`;
}

interface Family {
  readonly number: 4 | 6;
  readonly type: string;
}

const families: readonly Family[] = [
  { number: 4, type: "ipv4_addr" },
  { number: 6, type: "ipv6_addr" },
];

function sets(config: HubConfig, { number, type }: Family): string {
  const pairs = config.client.flatMap(({ addresses, networks }) =>
    pick(addresses, number).flatMap((own) =>
      pick(networks, number).map((network) => `${text(own)} . ${text(network)}`)
    )
  );
  const clients = config.client.flatMap(({ addresses }) => pick(addresses, number)).map(text);
  return `  set allowed${number} { type ${type} . ${type}; flags interval;${elements(pairs)} }
  set clients${number} { type ${type}; flags interval;${elements(clients)} }
`;
}

function masquerade({ interface: tunnel }: HubConfig): string {
  return `
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    oifname != "${tunnel}" ip saddr @clients4 masquerade
    oifname != "${tunnel}" ip6 saddr @clients6 masquerade
  }
`;
}

/** Networks of one family with none inside another: a set of intervals takes no overlaps. */
function pick(networks: readonly string[], family: 4 | 6): IpNetwork[] {
  const parsed = networks.map(parseNetwork).filter((one) => one !== undefined);
  return withoutOverlaps(parsed.filter((one) => one.family === family));
}

function text(network: IpNetwork): string {
  return formatNetwork(network);
}

function elements(list: readonly string[]): string {
  return list.length === 0 ? "" : ` elements = { ${list.join(", ")} };`;
}
