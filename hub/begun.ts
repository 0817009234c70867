/**
 * The chains of what the inside begins towards clients: a configuration goes in, text comes out. Every
 * packet of such a connection, there and back, is held against the rules of now. @core
 */
import { formatNetwork, parseNetwork, withoutOverlaps } from "../os/ip_network.ts";
import { type InboundRule, parseInboundRule } from "../token/profile/inbound.ts";
import type { ClientConfig, HubConfig } from "./hub_config.ts";

type Family = 4 | 6;

/** Clients towards whom the inside may begin the same in one family: they share their chains. */
interface Callees {
  readonly name: string;
  readonly addresses: string[];
  readonly rules: readonly InboundRule[];
}

/**
 * Sets and chains. `whereUnknown`: the clients of whom nobody knows where they are; who begins
 * something towards one of them is told so instead of being left to wait.
 */
export function begunChains(config: HubConfig, whereUnknown: readonly ClientConfig[]): string {
  const families = [4, 6] as const;
  const chains = families.map((family) => {
    const callees = calleesOf(config, family);
    const map = (name: "begin" | "answer") => {
      const elements = callees.flatMap(({ name: callee, addresses }) =>
        addresses.map((address) => `${address} : jump ${name}_${callee}`)
      );
      return `  map ${name}${family} { type ${typeOf(family)} : verdict; flags interval;${
        listed(elements)
      } }\n`;
    };
    const unknown = whereUnknown.flatMap(({ addresses }) => ofFamily(addresses, family));
    const bodies = callees.map(({ name, rules }) => `
  chain begin_${name} {
${rules.map((rule) => `    ${beginning(rule, family)} goto speak_first`).join("\n")}
  }

  chain answer_${name} {
${rules.map((rule) => `    ${answering(rule, family)} counter name inward accept`).join("\n")}
${errors(rules, family).join("\n")}
  }
`);
    return `  set unknown${family} { type ${typeOf(family)}; flags interval;${listed(unknown)} }
${bodies.join("")}${map("begin")}${map("answer")}`;
  });
  return `
  chain speak_first {
    ip daddr @unknown4 counter name unreachable reject with icmpx host-unreachable
    ip6 daddr @unknown6 counter name unreachable reject with icmpx host-unreachable
    counter name begun accept
  }

${chains.join("")}
  chain begin {
    iifname "${config.interface}" return
    fib saddr . iif oif missing return
    ip daddr vmap @begin4
    ip6 daddr vmap @begin6
  }

  chain answer {
    ip saddr vmap @answer4
    ip6 saddr vmap @answer6
  }
`;
}

/** Takes one client out of the set of those who can't be reached, for it has been heard of. */
export function planFound(table: string, client: ClientConfig): string {
  return ([4, 6] as const).flatMap((family) =>
    ofFamily(client.addresses, family).map((one) =>
      `delete element ${table} unknown${family} { ${one} }\n`
    )
  ).join("");
}

function calleesOf({ client }: HubConfig, family: Family): Callees[] {
  const groups = new Map<string, Callees>();
  for (const { addresses, inbound } of client) {
    const own = ofFamily(addresses, family);
    const texts = [...new Set(inbound)].sort();
    const rules = texts.map(parseInboundRule).filter((one) => one !== undefined)
      .filter(({ from }) => from.family === family);
    if (own.length === 0 || rules.length === 0) continue;
    const same = texts.join(" ");
    const group = groups.get(same) ??
      { name: `${groups.size + 1}_${family}`, addresses: [], rules };
    group.addresses.push(...own);
    groups.set(same, group);
  }
  return [...groups.values()];
}

function beginning(rule: InboundRule, family: Family): string {
  return `${word(family)} saddr ${formatNetwork(rule.from)} ${
    rule.protocol === "icmp"
      ? `${icmp(family)} type echo-request`
      : `${rule.protocol} dport ${rule.ports.first}-${rule.ports.last}`
  }`;
}

function answering(rule: InboundRule, family: Family): string {
  return `${word(family)} daddr ${formatNetwork(rule.from)} ct state established ${
    rule.protocol === "icmp"
      ? `${icmp(family)} type echo-reply`
      : `${rule.protocol} sport ${rule.ports.first}-${rule.ports.last} ct direction reply`
  }`;
}

/** What the client's side says of such a connection: a terminal that isn't there, a size that fits. */
function errors(rules: readonly InboundRule[], family: Family): string[] {
  const callers = new Set(rules.map(({ from }) => formatNetwork(from)));
  const protocol = family === 4 ? "icmp" : "ipv6-icmp";
  return [...callers].map((from) =>
    `    ${
      word(family)
    } daddr ${from} ct state related meta l4proto ${protocol} counter name inward accept`
  );
}

/** A client's networks of one family with none inside another. */
function ofFamily(networks: readonly string[], family: Family): string[] {
  const parsed = networks.map(parseNetwork).filter((one) => one !== undefined);
  return withoutOverlaps(parsed.filter((one) => one.family === family)).map(formatNetwork);
}

function word(family: Family): string {
  return family === 4 ? "ip" : "ip6";
}

function icmp(family: Family): string {
  return family === 4 ? "icmp" : "icmpv6";
}

function typeOf(family: Family): string {
  return `ipv${family}_addr`;
}

function listed(elements: readonly string[]): string {
  return elements.length === 0 ? "" : ` elements = { ${elements.join(", ")} };`;
}
