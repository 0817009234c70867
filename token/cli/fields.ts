/** A profile's settings as an issuer writes them: a TOML file, and flags that override it. */
import { parse, TomlError } from "smol-toml";
import * as v from "valibot";
import { CommandError, UsageError } from "./errors.ts";
import { readText } from "./files.ts";
import type { FlagKinds, Given } from "./options.ts";

/** Flags that set fields; each has the same meaning as the field beside it in the help. */
export const FIELD_FLAGS = {
  "client-id": "text",
  "server-id": "text",
  "user-id": "text",
  "user-name": "text",
  "ask-user-id": "text",
  expires: "text",
  address: "list",
  dns: "list",
  mtu: "text",
  "server-key": "text",
  endpoint: "list",
  keepalive: "text",
  network: "list",
  domain: "list",
  "other-traffic": "text",
  inbound: "list",
  suite: "text",
} as const satisfies FlagKinds;

/** The help lines of {@linkcode FIELD_FLAGS}. */
export const FIELD_HELP = `  --client-id ID       client_id: the client's name at the hub
  --server-id ID       server_id: the hub's name (default: the first endpoint's host)
  --user-id ID         [user] id (default: the client id)
  --user-name NAME     [user] name, as pages show it (default: the user id)
  --ask-user-id X      [user] ask_id: yes, whoever unlocks types the user id with the PIN; or no
                       (default)
  --expires WHEN       expires: a date (2027-12-31, RFC 3339) or days from now (90d; default 365d)
  --address CIDR       [tunnel] addresses (repeat)
  --dns ADDRESS        [tunnel] dns (repeat)
  --mtu BYTES          [tunnel] mtu
  --server-key KEY     [server] public_key, base64
  --endpoint H:P       [server] endpoints (repeat)
  --keepalive SECONDS  [server] keepalive
  --network CIDR       [destinations] networks (repeat)
  --domain NAME        [destinations] domains (repeat)
  --other-traffic X    other_traffic: drop (default) or direct
  --inbound RULE       inbound: what the inside may begin, such as tcp/8080@10.20.0.0/16 or
                       icmp@10.20.0.0/16 (repeat; default: nothing)
  --suite X            suite: wireguard-1 (default), keys agreed by handshakes; or wireguard-manual-1,
                       the preshared key is used by hand, without any handshake`;

const text = v.string("expected text");
const texts = v.array(text, "expected a list of texts");
const number = v.number("expected a number");

const FileSchema = v.strictObject({
  client_id: v.optional(text),
  server_id: v.optional(text),
  expires: v.optional(v.union([text, v.date()], "expected a date or days (90d)")),
  other_traffic: v.optional(text),
  inbound: v.optional(texts),
  user: v.optional(v.strictObject({
    id: v.optional(text),
    name: v.optional(text),
    ask_id: v.optional(v.boolean("expected true or false")),
  })),
  suite: v.optional(text),
  tunnel: v.optional(v.strictObject({
    addresses: v.optional(texts),
    dns: v.optional(texts),
    mtu: v.optional(number),
  })),
  server: v.optional(v.strictObject({
    public_key: v.optional(text),
    endpoints: v.optional(texts),
    keepalive: v.optional(number),
  })),
  destinations: v.optional(v.strictObject({
    networks: v.optional(texts),
    domains: v.optional(texts),
  })),
});

/** The fields that an issuer chooses; the rest of a profile follows from card and keys. */
export interface Fields {
  readonly clientId: string;
  readonly serverId: string;
  readonly user: { readonly id: string; readonly name: string };
  readonly asksUserId: boolean;
  /** Unix seconds. */
  readonly expiresAt: number;
  readonly addresses: readonly string[];
  readonly dns: readonly string[];
  readonly mtu?: number;
  readonly serverKey: string;
  readonly endpoints: readonly string[];
  readonly keepalive?: number;
  readonly networks: readonly string[];
  readonly domains: readonly string[];
  readonly otherTraffic: string;
  readonly inbound: readonly string[];
  readonly suite: string;
}

/** Fields from another source, which file and flags override. */
export type KnownFields = {
  readonly [Field in keyof Fields]?: Fields[Field] | undefined;
};

/**
 * Gathers fields: flags before the file that `path` names, before what is known.
 * @param now Unix seconds.
 */
export async function readFields(
  given: Given,
  options: { path?: string | undefined; known?: KnownFields; now: number },
): Promise<Fields> {
  const { path, known = {}, now } = options;
  const file = path === undefined ? {} : await readFile(path);
  const many = (flag: string, ...others: (readonly string[] | undefined)[]) =>
    given.list(flag).length > 0
      ? given.list(flag)
      : others.find((other) => other !== undefined) ?? [];
  const clientId = given.text("client-id") ?? file.client_id ?? known.clientId;
  if (clientId === undefined) {
    throw new UsageError("Cannot issue: the client has no name; give --client-id");
  }
  const endpoints = many("endpoint", file.server?.endpoints, known.endpoints);
  const userId = given.text("user-id") ?? file.user?.id ?? known.user?.id ?? clientId;
  const mtu = integer(given, "mtu") ?? file.tunnel?.mtu ?? known.mtu;
  const keepalive = integer(given, "keepalive") ?? file.server?.keepalive ?? known.keepalive;
  const expires = given.text("expires") ?? file.expires ?? known.expiresAt ?? "365d";
  return {
    clientId,
    serverId: given.text("server-id") ?? file.server_id ?? known.serverId ?? hostOf(endpoints[0]),
    user: {
      id: userId,
      name: given.text("user-name") ?? file.user?.name ?? known.user?.name ?? userId,
    },
    asksUserId: yesOrNo(given, "ask-user-id") ?? file.user?.ask_id ?? known.asksUserId ?? false,
    expiresAt: expiryOf(expires, now),
    addresses: many("address", file.tunnel?.addresses, known.addresses),
    dns: many("dns", file.tunnel?.dns, known.dns),
    ...(mtu === undefined ? {} : { mtu }),
    serverKey: given.text("server-key") ?? file.server?.public_key ?? known.serverKey ?? "",
    endpoints,
    ...(keepalive === undefined ? {} : { keepalive }),
    networks: many("network", file.destinations?.networks, known.networks),
    domains: many("domain", file.destinations?.domains, known.domains),
    otherTraffic: given.text("other-traffic") ?? file.other_traffic ?? known.otherTraffic ?? "drop",
    inbound: many("inbound", file.inbound, known.inbound),
    suite: given.text("suite") ?? file.suite ?? known.suite ?? "wireguard-1",
  };
}

async function readFile(path: string): Promise<v.InferOutput<typeof FileSchema>> {
  let value;
  try {
    value = parse(await readText(path));
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    throw new UsageError(`Cannot read ${path}: line ${error.line}: it is no TOML`);
  }
  const parsed = v.safeParse(FileSchema, value);
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  const key = v.getDotPath(issue) ?? "";
  const what = issue.type === "strict_object" ? "unknown key" : issue.message;
  throw new UsageError(`Cannot read ${path}: ${key}: ${what}`);
}

function expiryOf(when: string | number | Date, now: number): number {
  if (typeof when === "number") return when;
  if (when instanceof Date) return seconds(when);
  const days = /^(\d{1,5})d$/.exec(when)?.[1];
  if (days !== undefined) return now + Number(days) * 86_400;
  const date = new Date(when);
  if (!/^\d{4}-\d\d-\d\d/.test(when) || Number.isNaN(date.getTime())) {
    throw new UsageError(
      `Cannot use the expiry ${when}: expected a date (2027-12-31) or days (90d)`,
    );
  }
  return seconds(date);
}

function seconds(date: Date): number {
  if (date.getTime() < 0) throw new CommandError("Cannot issue: the expiry lies before 1970");
  return Math.floor(date.getTime() / 1000);
}

function integer(given: Given, flag: string): number | undefined {
  const value = given.text(flag);
  if (value === undefined) return undefined;
  if (!/^\d{1,5}$/.test(value)) {
    throw new UsageError(`Cannot use --${flag} ${value}: expected a number`);
  }
  return Number(value);
}

function yesOrNo(given: Given, flag: string): boolean | undefined {
  const value = given.text(flag);
  if (value === undefined) return undefined;
  if (value === "yes" || value === "no") return value === "yes";
  throw new UsageError(`Cannot use --${flag} ${value}: expected yes or no`);
}

function hostOf(endpoint: string | undefined): string {
  return endpoint?.replace(/:\d+$/, "").replace(/^\[|\]$/g, "") ?? "hub";
}
