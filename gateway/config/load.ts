/** The gateway's configuration file: its schema, and its defaults. */
import { isIPv4, isIPv6 } from "node:net";
import * as v from "valibot";
import { loadConfig } from "../../os/config.ts";
import { contains, parseNetwork } from "../../os/ip_network.ts";
import { inboundOf, inboundProblem, inboundTable } from "./inbound.ts";
import { isEndpoint } from "../../token/profile/profile.ts";
import { INSTRUCTION_GROUPS } from "../../token/share/instructions.ts";
import { LONGEST_HARD_LIMIT } from "../../token/share/limits.ts";
import type { GatewayConfig, ShareConfig } from "./gateway_config.ts";

/** @throws {ConfigError} with file, key and what is expected. */
export async function loadGatewayConfig(path: string): Promise<GatewayConfig> {
  return await loadConfig(path, GatewayConfigSchema);
}

const text = (expected: string, check: (value: string) => boolean) =>
  v.pipe(
    v.string(),
    v.check(check, (issue) => `expected ${expected}, not ${JSON.stringify(issue.input)}`),
    v.description(expected),
  );

const interfaceName = text(
  "an interface's name of 1 to 15 letters, digits, '.', '-' or '_'",
  (name) => /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}$/.test(name),
);

const folder = text("a folder's absolute path", (path) => /^\/[^\0\n"]*$/.test(path));

const PORT = "a port, 1 to 65535";
const port = v.pipe(
  v.number(),
  v.integer(),
  v.minValue(1),
  v.maxValue(65535),
  v.description(PORT),
);

const resolver = text(
  "an IP address",
  (address) => isIPv4(address) || (isIPv6(address) && !address.includes("%")),
);

/** A box's address on a network that has room for terminals. */
const lanAddress = (family: 4 | 6) => {
  const example = family === 4 ? `"192.168.80.1/24"` : `"fd80::1/64"`;
  return text(`an IPv${family} address with prefix length such as ${example}`, (address) => {
    const network = parseNetwork(address);
    if (network?.family !== family || !address.includes("/")) return false;
    return family === 6 ? network.prefix === 64 : network.prefix >= 8 && network.prefix <= 30;
  });
};

const lanTable = v.strictObject({
  interface: interfaceName,
  address: lanAddress(4),
  address6: v.exactOptional(lanAddress(6)),
  dhcp: v.exactOptional(v.strictObject({
    from: text("an IPv4 address", isIPv4),
    to: text("an IPv4 address", isIPv4),
    lease: v.optional(
      text(
        `a time from 2 minutes on such as "12h", "45m" or "3600"`,
        (lease) => /^[1-9]\d{0,6}[smhd]?$/.test(lease) && leaseSeconds(lease) >= 120,
      ),
      "12h",
    ),
  })),
});

const lan = v.pipe(
  lanTable,
  v.forward(
    v.check(
      (table) => inLan(table.address, table.dhcp?.from),
      "expected an address in the LAN's network",
    ),
    ["dhcp", "from"],
  ),
  v.forward(
    v.check(
      (table) => inLan(table.address, table.dhcp?.to) && ordered(table.dhcp),
      "expected an address in the LAN's network, not before dhcp.from",
    ),
    ["dhcp", "to"],
  ),
);

const ISSUER = "an Ed25519 public key: 32 bytes in base64url";
const issuer = v.pipe(
  text(ISSUER, (key) => /^[A-Za-z0-9_-]{43}$/.test(key)),
  v.transform((key) => Uint8Array.fromBase64(key, { alphabet: "base64url" })),
);

const TERMINAL = `"*", a terminal's MAC address or its IP address`;
const terminal = v.pipe(
  text(
    TERMINAL,
    (value) =>
      value === "*" || /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(value) || isIPv4(value) ||
      (isIPv6(value) && !value.includes("%")),
  ),
  v.transform((value) => value.toLowerCase()),
);

const SECONDS = (most: number) => `whole seconds, 1 to ${most}`;
const seconds = (most: number) =>
  v.pipe(
    v.number(),
    v.integer(),
    v.minValue(1),
    v.maxValue(most),
    v.description(SECONDS(most)),
  );

const choice = <T extends string>(words: readonly T[]) =>
  v.pipe(v.picklist(words), v.description(words.map((word) => `"${word}"`).join(" or ")));

const share = v.strictObject({
  terminals: v.pipe(
    v.array(terminal),
    v.minLength(1),
    v.description(`a list of at least one terminal: ${TERMINAL}`),
  ),
  reader_port: v.exactOptional(port),
  idle_limit: v.optional(seconds(LONGEST_HARD_LIMIT / 1000), 20),
  hard_limit: v.optional(seconds(LONGEST_HARD_LIMIT / 1000), 60),
  before_unlock: v.optional(v.pipe(v.boolean(), v.description("true or false")), false),
  pin: v.optional(choice(["keep", "ask"]), "keep"),
  allow: v.optional(
    v.pipe(
      v.array(choice(INSTRUCTION_GROUPS)),
      v.description("a list of groups of instructions"),
    ),
    [],
  ),
});

const PASSKEY_NAME = 'a name of this box under ".internal", such as "home.internal": its own ' +
  "certificate vouches for no other, and passkeys take no address";
const passkeys = v.strictObject({
  name: v.exactOptional(text(
    PASSKEY_NAME,
    (name) => name.length <= 253 && /^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+internal$/.test(name),
  )),
  add: v.optional(v.pipe(v.boolean(), v.description("true or false")), true),
});

const LISTEN = `an address and port such as "192.168.80.1:8443" or "[fd80::1]:8443"`;
const listen = text(LISTEN, (value) => parseListen(value) !== undefined);

/** The file as it is written; the output is a `GatewayConfig`. */
export const GatewayConfigSchema = v.pipe(
  v.strictObject({
    name: text(
      "a name of 1 to 63 lower-case letters, digits or '-'",
      (name) => /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(name),
    ),
    state: v.optional(folder, "/var/lib/sekisho"),
    run: v.optional(folder, "/run/sekisho"),
    lan,
    internet: v.strictObject({
      interface: interfaceName,
      dns: v.optional(v.pipe(v.array(resolver), v.description("a list of IP addresses")), []),
    }),
    reader: v.exactOptional(v.strictObject({
      name: text("a reader's name", (name) => name.length > 0 && name.length <= 128),
    })),
    stick: v.exactOptional(v.strictObject({
      devices: v.pipe(
        v.array(text(
          `"usb" or a device's absolute path`,
          (device) => device === "usb" || /^\/[^\0\n"]{1,200}$/.test(device),
        )),
        v.minLength(1),
        v.maxLength(16),
        v.description(`a list of "usb" or devices' paths`),
      ),
    })),
    token: v.strictObject({
      issuers: v.pipe(
        v.array(issuer),
        v.minLength(1),
        v.description("a list of at least one issuer's public key"),
      ),
      ask_user_id: v.optional(
        v.pipe(v.boolean(), v.description("true or false")),
        false,
      ),
      revocations: v.optional(
        v.pipe(
          v.array(text("a file's absolute path", (path) => /^\/[^\0\n]+$/.test(path))),
          v.maxLength(16),
          v.description("a list of at most 16 files' absolute paths"),
        ),
        [],
      ),
      profiles: v.exactOptional(
        text("a folder's absolute path", (path) => /^\/[^\0\n]{1,4000}$/.test(path)),
      ),
      hub_profiles: v.exactOptional(v.strictObject({
        hub: text(`a hub's "host:port"`, isEndpoint),
        key_file: text("a file's absolute path", (path) => /^\/[^\0\n]+$/.test(path)),
      })),
    }),
    tunnel: v.optional(
      v.strictObject({
        interface: v.optional(interfaceName, "sekisho0"),
        kernel: v.optional(
          v.pipe(v.picklist(["auto", "never"]), v.description(`"auto" or "never"`)),
          "never",
        ),
        listen_port: v.exactOptional(port),
      }),
      {},
    ),
    inbound: v.exactOptional(inboundTable),
    share: v.exactOptional(share),
    passkeys: v.exactOptional(passkeys),
    panel: v.optional(v.strictObject({ listen: v.exactOptional(listen) }), {}),
    portal: v.optional(
      v.strictObject({ http_port: v.optional(port, 80), https_port: v.optional(port, 443) }),
      {},
    ),
  }),
  v.forward(
    v.check(
      (file) => file.internet.interface !== file.lan.interface,
      "expected another interface than the LAN's",
    ),
    ["internet", "interface"],
  ),
  v.forward(
    v.check(
      (file) => ![file.lan.interface, file.internet.interface].includes(file.tunnel.interface),
      "expected an interface of its own",
    ),
    ["tunnel", "interface"],
  ),
  v.forward(
    v.check(
      (file) => file.portal.http_port !== file.portal.https_port,
      "expected another port than portal.http_port",
    ),
    ["portal", "https_port"],
  ),
  v.forward(
    v.check(
      (file) => {
        const { http_port, https_port } = file.portal;
        return ![http_port, https_port, 8443].includes(file.share?.reader_port ?? 0);
      },
      "expected a port that neither portal nor panel has",
    ),
    ["share", "reader_port"],
  ),
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed || dataset.value.inbound === undefined) return;
    const { inbound, lan } = dataset.value;
    const message = inboundProblem(inbound, lan);
    if (message !== undefined) addIssue({ message: `inbound: ${message}` });
  }),
  v.transform((file): GatewayConfig => ({
    name: file.name,
    state: file.state,
    run: file.run,
    lan: file.lan,
    internet: file.internet,
    ...(file.reader === undefined ? {} : { reader: file.reader }),
    ...(file.stick === undefined ? {} : { stick: file.stick }),
    token: file.token,
    tunnel: {
      interface: file.tunnel.interface,
      kernel: file.tunnel.kernel,
      ...(file.tunnel.listen_port === undefined ? {} : { listenPort: file.tunnel.listen_port }),
    },
    ...(file.inbound === undefined ? {} : { inbound: inboundOf(file.inbound) }),
    ...(file.share === undefined ? {} : { share: shareOf(file.share) }),
    ...(file.passkeys === undefined
      ? {}
      : { passkeys: { name: `${file.name}.internal`, ...file.passkeys } }),
    panel: (file.panel.listen === undefined ? undefined : parseListen(file.panel.listen)) ??
      { host: file.lan.address.split("/")[0] ?? "", port: 8443 },
    portal: { httpPort: file.portal.http_port, httpsPort: file.portal.https_port },
  })),
);

function shareOf(table: v.InferOutput<typeof share>): ShareConfig {
  return {
    terminals: table.terminals,
    ...(table.reader_port === undefined ? {} : { readerPort: table.reader_port }),
    idleMs: table.idle_limit * 1000,
    hardMs: table.hard_limit * 1000,
    beforeUnlock: table.before_unlock,
    pin: table.pin,
    allow: table.allow,
  };
}

function inLan(lanAddress: string, address: string | undefined): boolean {
  if (address === undefined) return true;
  const outer = parseNetwork(lanAddress);
  const inner = parseNetwork(address);
  return outer !== undefined && inner !== undefined && contains(outer, inner);
}

function ordered(dhcp: { from: string; to: string } | undefined): boolean {
  const number = (address: string) => {
    return address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
  };
  return dhcp === undefined || number(dhcp.from) <= number(dhcp.to);
}

function leaseSeconds(lease: string): number {
  const unit = { s: 1, m: 60, h: 3600, d: 86_400 }[lease.slice(-1)] ?? 1;
  return parseInt(lease, 10) * unit;
}

function parseListen(value: string): { host: string; port: number } | undefined {
  const [, v6, v4, digits] = /^(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+)):([1-9]\d{0,4})$/.exec(value) ??
    [];
  const host = v6 ?? v4 ?? "";
  const valid = v6 === undefined ? isIPv4(host) : isIPv6(host);
  return valid && Number(digits) <= 65535 ? { host, port: Number(digits) } : undefined;
}
