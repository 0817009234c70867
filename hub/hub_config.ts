/** What a hub is told in its configuration file. No I/O. */
import * as v from "valibot";
import {
  contains,
  hasNoHostBits,
  type IpNetwork,
  parseAddress,
  parseNetwork,
} from "../os/ip_network.ts";
import { INBOUND_RULE, MOST_INBOUND_RULES, parseInboundRule } from "../token/profile/inbound.ts";
import { parseIssuerKey } from "../token/profile/jws.ts";
import type { IssuerKey } from "../token/profile/types.ts";
import { parsePublicKey } from "../tunnel/api.ts";

/** More would not fit the memory that is locked for session keys. */
export const MAX_CLIENTS = 1000;

const Interface = text(
  /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}$/,
  'the name of an interface, at most 15 letters and digits, such as "sekisho0"',
);
const Path = text(/^\/[^\0]+$/, 'an absolute path such as "/etc/sekisho/hub.key"');
const Name = text(
  /^[\p{L}\p{N}][\p{L}\p{N}@._ -]{0,62}$/u,
  "a name of at most 63 letters, digits, spaces, @, dots, dashes",
);
const Word = text(/^[\x21-\x7e]{1,64}$/, "a word of at most 64 characters");
const Port = whole(1, 65535, "a UDP port, 1 to 65535");
const Mtu = whole(1280, 9000, "a whole number, 1280 to 9000");
const InterfaceAddress = checked(
  (value) => value.includes("/") && parseNetwork(value) !== undefined,
  'an address with its prefix length such as "10.77.0.1/24" or "fd77::1/64"',
);
const Network = checked((value) => {
  const network = parseNetwork(value);
  return network !== undefined && hasNoHostBits(network);
}, 'a network such as "10.20.0.0/16" (no bits behind its prefix) or one address');
const Key = v.pipe(
  checked(isPublicKey, "a WireGuard public key, 44 characters as `wg pubkey` prints them"),
  v.transform(parsePublicKey),
);
const Endpoint = checked((value) => {
  const [, host = "", port = ""] = /^\[?([0-9a-fA-F.:]+)\]?:(\d{1,5})$/.exec(value) ?? [];
  return parseAddress(host) !== undefined && Number(port) > 0 && Number(port) < 65536;
}, 'an address with its port such as "192.0.2.1:51820" or "[2001:db8::1]:51820"');

const Client = v.strictObject({
  name: Name,
  public_key: Key,
  preshared_key_file: v.optional(Path),
  /** Instead: a key that is used by hand, without handshakes, as the client's profile says. */
  manual_key_file: v.optional(Path),
  /** The client's own addresses in the tunnel: nothing else is taken from it. */
  addresses: atLeastOne(Network, "a list of at least one address"),
  /** What it may reach. */
  networks: v.array(Network),
  /** What the inside may begin towards it, such as "tcp/8080@10.20.0.0/16"; by default nothing. */
  inbound: v.optional(
    v.pipe(
      v.array(checked((value) => parseInboundRule(value) !== undefined, INBOUND_RULE)),
      v.maxLength(MOST_INBOUND_RULES),
      v.description(`a list of at most ${MOST_INBOUND_RULES} rules`),
    ),
    [],
  ),
  /** Where it is before it first spoke. */
  endpoint: v.optional(Endpoint),
  /** The card that its key is on, as `token issue --peer-out` writes it: what a revocation names. */
  token: v.optional(v.strictObject({
    card: Word,
    profile: Word,
    generation: whole(1, Number.MAX_SAFE_INTEGER, "the generation of the client's profile"),
  })),
});

const IssuerText = v.pipe(
  checked(
    (value) => parseIssuerKey(value) !== undefined,
    "an issuer's public key as `token issuer-key` prints it",
  ),
  v.transform((value) => value as IssuerKey),
);

const Shares = v.strictObject({
  /** Where cards ask for their half. */
  listen: v.pipe(
    checked(
      (value) => parseListen(value) !== undefined,
      'an address and port such as "0.0.0.0:51821" or "[::]:51821"',
    ),
    v.transform((value) => parseListen(value) ?? { hostname: "", port: 0 }),
  ),
  /** X25519, as `wg genkey` makes it; its public half is in the profiles. */
  private_key_file: Path,
  /** Mode 0700; files that end in ".share". */
  folder: Path,
});

const Listen = v.pipe(
  checked(
    (value) => parseListen(value) !== undefined,
    'an address and port such as "0.0.0.0:51822" or "[::]:51822"',
  ),
  v.transform((value) => parseListen(value) ?? { hostname: "", port: 0 }),
);

const Profiles = v.strictObject({
  /** Where gateways ask for the profiles of cards that have no room. */
  listen: Listen,
  /** What gateways and hub share, as `wg genpsk` makes it. */
  key_file: Path,
  /** Files that end in ".profile". */
  folder: Path,
});

export const HubConfigSchema = v.strictObject({
  interface: v.optional(Interface, "sekisho-hub"),
  private_key_file: Path,
  listen_port: v.optional(Port, 51820),
  /** The hub's own, in the tunnel. */
  addresses: atLeastOne(InterfaceAddress, "a list of at least one address with its prefix length"),
  mtu: v.optional(Mtu, 1420),
  /** Clients appear in the private network under the hub's own address there. */
  masquerade: v.optional(v.boolean(), false),
  /** What is remembered of clients with manual keys, so that nothing of theirs is taken twice. */
  manual_state: v.optional(Path, "/var/lib/sekisho-hub/manual"),
  /** Folder for the lock and the status socket. */
  run: v.optional(Path, "/run/sekisho-hub"),
  token: v.optional(
    v.strictObject({
      issuers: v.optional(v.pipe(v.array(IssuerText), v.maxLength(64)), []),
      /** Signed lists of what the issuers took back. */
      revocations: v.optional(v.pipe(v.array(Path), v.maxLength(16)), []),
      /** What the newest lists are kept in. */
      state: v.optional(Path, "/var/lib/sekisho-hub/revocations"),
    }),
    {},
  ),
  shares: v.optional(Shares),
  profiles: v.optional(Profiles),
  client: v.optional(
    v.pipe(
      v.array(Client),
      v.maxLength(MAX_CLIENTS),
      v.rawCheck(({ dataset, addIssue }) => {
        const message = dataset.typed ? findConflict(dataset.value) : undefined;
        if (message !== undefined) addIssue({ message });
      }),
      v.description(`at most ${MAX_CLIENTS} clients`),
    ),
    [],
  ),
});

export type HubConfig = v.InferOutput<typeof HubConfigSchema>;
export type ClientConfig = HubConfig["client"][number];

/** The peer protocol gives an address to one client only; so must the file. */
function findConflict(clients: readonly ClientConfig[]): string | undefined {
  const names = new Set<string>();
  const keys = new Map<string, string>();
  const addresses: { name: string; network: IpNetwork }[] = [];
  for (const { name, public_key, addresses: own, ...keyFiles } of clients) {
    if (keyFiles.preshared_key_file !== undefined && keyFiles.manual_key_file !== undefined) {
      return `expected preshared_key_file or manual_key_file for ${JSON.stringify(name)}, not both`;
    }
    if (names.has(name)) return `expected each name once, not ${JSON.stringify(name)} twice`;
    names.add(name);
    const other = keys.get(public_key);
    if (other !== undefined) {
      return `expected each public_key once, not for ${both(other, name)}`;
    }
    keys.set(public_key, name);
    for (const text of own) {
      const network = parseNetwork(text);
      if (network === undefined) continue;
      const clash = addresses.find((one) =>
        contains(one.network, network) || contains(network, one.network)
      );
      if (clash !== undefined && clash.name !== name) {
        return `expected each address once, not ${text} for ${both(clash.name, name)}`;
      }
      addresses.push({ name, network });
    }
  }
  return undefined;
}

function text(pattern: RegExp, expected: string) {
  return v.pipe(v.string(), v.regex(pattern), v.description(expected));
}

function checked(good: (value: string) => boolean, expected: string) {
  return v.pipe(
    v.string(),
    v.check(good, ({ input }) => `expected ${expected}, not ${JSON.stringify(input)}`),
    v.description(expected),
  );
}

function whole(least: number, most: number, expected: string) {
  return v.pipe(
    v.number(),
    v.integer(),
    v.minValue(least),
    v.maxValue(most),
    v.description(expected),
  );
}

function atLeastOne<S extends v.GenericSchema>(schema: S, expected: string) {
  return v.pipe(v.array(schema), v.minLength(1), v.description(expected));
}

function both(a: string, b: string): string {
  return `${JSON.stringify(a)} and ${JSON.stringify(b)}`;
}

function parseListen(value: string): { hostname: string; port: number } | undefined {
  const [, six, four, digits] = /^(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+)):([1-9]\d{0,4})$/.exec(value) ??
    [];
  const hostname = six ?? four ?? "";
  const isOne = parseAddress(hostname) !== undefined && Number(digits) < 65536;
  return isOne ? { hostname, port: Number(digits) } : undefined;
}

function isPublicKey(text: string): boolean {
  try {
    parsePublicKey(text);
    return true;
  } catch {
    return false;
  }
}
