/** The configuration's table of what may be begun through the tunnel. No I/O. */
import * as v from "valibot";
import {
  contains,
  formatAddress,
  maskOf,
  parseAddress,
  parseNetwork,
} from "../../os/ip_network.ts";
import type { InboundConfig, InboundForward } from "./gateway_config.ts";

const MOST_FORWARDS = 64;
const PORT = "a port, 1 to 65535";
const port = v.pipe(
  v.number(),
  v.integer(),
  v.minValue(1),
  v.maxValue(65_535),
  v.description(PORT),
);

const TO = `a terminal's address and port such as "192.168.80.50:80" or "[fd80::50]:80"`;
const MAC = `a hardware address such as "02:00:00:aa:bb:cc"`;

const checked = (expected: string, check: (value: string) => boolean) =>
  v.pipe(
    v.string(),
    v.check(check, (issue) => `expected ${expected}, not ${JSON.stringify(issue.input)}`),
    v.description(expected),
  );

const forward = v.strictObject({
  protocol: v.optional(
    v.pipe(v.picklist(["tcp", "udp"]), v.description(`"tcp" or "udp"`)),
    "tcp",
  ),
  port,
  to: checked(TO, (value) => parseTo(value) !== undefined),
  mac: v.exactOptional(checked(MAC, (value) => /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(value))),
});

export const inboundTable = v.strictObject({
  ping: v.optional(v.pipe(v.boolean(), v.description("true or false")), false),
  forward: v.optional(
    v.pipe(
      v.array(forward),
      v.maxLength(MOST_FORWARDS),
      v.description(`at most ${MOST_FORWARDS} ports that lead to terminals`),
    ),
    [],
  ),
});

export function inboundOf({ ping, forward }: v.InferOutput<typeof inboundTable>): InboundConfig {
  return {
    ping,
    forward: forward.map(({ protocol, port, to, mac }): InboundForward => {
      const { address, port: terminalPort } = parseTo(to) ?? { address: "", port: 0 };
      return {
        ...{ protocol, port, terminal: address, terminalPort },
        ...(mac === undefined ? {} : { mac: mac.toLowerCase() }),
      };
    }),
  };
}

/** What is wrong with it on this LAN. */
export function inboundProblem(
  table: v.InferOutput<typeof inboundTable>,
  lan: { address: string; address6?: string; dhcp?: unknown },
): string | undefined {
  const own = [lan.address, ...(lan.address6 === undefined ? [] : [lan.address6])];
  const ports = new Set<string>();
  const addresses = new Map<string, string>();
  const macs = new Map<string, string>();
  for (const { protocol, port, terminal, mac } of inboundOf(table).forward) {
    if (!own.some((text) => isTerminalIn(text, terminal))) {
      return `expected a terminal's address in the LAN's network, not ${terminal}`;
    }
    const family = terminal.includes(":") ? 6 : 4;
    const name = `${protocol}/${port}`;
    if (ports.has(`${name} ${family}`)) {
      return `expected each port once for a family of addresses, not ${name} twice`;
    }
    ports.add(`${name} ${family}`);
    if (mac === undefined) continue;
    if (family === 6 || lan.dhcp === undefined) {
      return `expected mac only where lan.dhcp gives out IPv4 addresses, not for ${terminal}`;
    }
    if ((macs.get(mac) ?? terminal) !== terminal || (addresses.get(terminal) ?? mac) !== mac) {
      return `expected one address for each mac, not ${terminal} with ${mac} and another`;
    }
    macs.set(mac, terminal);
    addresses.set(terminal, mac);
  }
  return undefined;
}

/** Whether a host of that network has the address, and it isn't the box's own. */
function isTerminalIn(boxAddress: string, terminal: string): boolean {
  const lan = parseNetwork(boxAddress);
  const host = parseNetwork(terminal);
  if (lan === undefined || host === undefined || !contains(lan, host)) return false;
  const mask = maskOf(lan);
  const bits = host.bytes.map((byte, i) => byte & ~(mask[i] ?? 0) & 0xff);
  const all = bits.every((byte, i) => byte === (~(mask[i] ?? 0) & 0xff));
  const isOwn = host.bytes.every((byte, i) => byte === lan.bytes[i]);
  return !isOwn && !all && bits.some((byte) => byte !== 0);
}

function parseTo(value: string): { address: string; port: number } | undefined {
  const [, six, four, digits] = /^(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+)):([1-9]\d{0,4})$/.exec(value) ??
    [];
  const bytes = parseAddress(six ?? four ?? "");
  const isOne = bytes !== undefined && (bytes.length === 16) === (six !== undefined);
  return isOne && Number(digits) <= 65_535
    ? { address: formatAddress(bytes), port: Number(digits) }
    : undefined;
}
