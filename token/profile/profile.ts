/**
 * @core
 * A profile: everything that a holder's gateway must know to bring up the tunnel, without any key.
 * The core's contract: text in, a checked profile or one word of refusal out.
 */
import * as v from "valibot";
import {
  INBOUND_RULE,
  LONGEST_INBOUND_RULE,
  MOST_INBOUND_RULES,
  parseInboundRule,
} from "./inbound.ts";
import { MOST_RECIPIENTS } from "./limits.ts";

/** The version of the settings that this program writes and reads. */
export const PROFILE_VERSION = 1;

const word = (longest: number) => v.pipe(v.string(), v.minLength(1), v.maxLength(longest));
const base64Key = v.pipe(
  v.string(),
  v.regex(/^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/, "a WireGuard key in base64"),
);
const unixSeconds = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const cidr = v.pipe(v.string(), v.maxLength(43), v.check(isCidr, "an address and prefix length"));
const address = v.pipe(v.string(), v.maxLength(39), v.check(isAddress, "an IP address"));
const endpoint = v.pipe(v.string(), v.maxLength(262), v.check(isEndpoint, "host:port"));
const domain = v.pipe(
  v.string(),
  v.maxLength(253),
  v.regex(/^(\*\.)?([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/),
);
const inboundRule = v.pipe(
  v.string(),
  v.maxLength(LONGEST_INBOUND_RULE),
  v.check((text) => parseInboundRule(text) !== undefined, INBOUND_RULE),
);
const list = <T extends v.GenericSchema>(item: T, longest: number) =>
  v.pipe(v.array(item), v.maxLength(longest));

/**
 * How sessions come about: agreed in WireGuard's handshake, or announced under a key that both sides
 * were given by hand, which then takes the preshared key's place.
 */
export const SUITES = ["wireguard-1", "wireguard-manual-1"] as const;

/** Where the WireGuard private key is. */
const IdentitySchema = v.variant("kind", [
  v.strictObject({ kind: v.literal("sealed"), publicKey: base64Key }),
  v.strictObject({
    kind: v.literal("on-card"),
    /** Key reference of the card: 9D, or 82 to 95. */
    slot: v.pipe(v.number(), v.integer(), v.minValue(0x82), v.maxValue(0x9d)),
    publicKey: base64Key,
  }),
]);

/** 33 bytes in base64url. */
const compressedPoint = v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{44}$/));

/** Who can open the container, each by a name: what a station needs to seal it again. */
export const RecipientSchema = v.variant("kind", [
  v.strictObject({
    kind: v.literal("card"),
    name: word(64),
    cardId: word(64),
    /** Key reference of the card's P-256 key: 9D, or 82 to 95. */
    slot: v.pipe(v.number(), v.integer(), v.minValue(0x82), v.maxValue(0x9d)),
    publicKey: compressedPoint,
    /** The P-256 key that proves the card to a hub; there where the profile is split. */
    proof: v.optional(v.strictObject({
      /** Key reference: 9A, or 82 to 95. */
      slot: v.pipe(v.number(), v.integer(), v.minValue(0x82), v.maxValue(0x9e)),
      publicKey: compressedPoint,
    })),
  }),
  v.strictObject({
    /** An age identity, one that a password opens, or one that lies in a safe. */
    kind: v.picklist(["x25519", "password", "recovery"]),
    name: word(64),
    /** `age1…` */
    recipient: v.pipe(v.string(), v.regex(/^age1[a-z0-9]{58}$/)),
  }),
]);

/** One way to open a profile. */
export type ProfileRecipient = v.InferOutput<typeof RecipientSchema>;

const Settings = v.strictObject({
  v: v.literal(PROFILE_VERSION),
  id: word(64),
  /** Hexadecimal GUID of the card's CHUID, or `serial:` and the card's serial number. */
  cardId: word(64),
  generation: v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
  issuedAt: unixSeconds,
  expiresAt: unixSeconds,
  user: v.strictObject({ id: word(128), name: word(128) }),
  /** Whoever unlocks types the user's id too. */
  asksUserId: v.optional(v.literal(true)),
  clientId: word(128),
  serverId: word(128),
  identity: IdentitySchema,
  tunnel: v.strictObject({
    addresses: v.pipe(list(cidr, 16), v.minLength(1)),
    mtu: v.optional(v.pipe(v.number(), v.integer(), v.minValue(576), v.maxValue(65_535))),
    dns: list(address, 8),
  }),
  server: v.strictObject({
    publicKey: base64Key,
    endpoints: v.pipe(list(endpoint, 8), v.minLength(1)),
    /** Seconds. */
    persistentKeepalive: v.optional(
      v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(65_535)),
    ),
    hasPresharedKey: v.boolean(),
  }),
  destinations: v.strictObject({ networks: list(cidr, 256), domains: list(domain, 256) }),
  otherTraffic: v.picklist(["drop", "direct"]),
  /** What the inside may begin towards the holder's side; absent: nothing. */
  inbound: v.optional(list(inboundRule, MOST_INBOUND_RULES)),
  suite: v.picklist(SUITES, `expected ${SUITES.join(" or ")}`),
  /** Absent in profiles whose station kept no list: then only the card of `cardId` is known. */
  recipients: v.optional(list(RecipientSchema, MOST_RECIPIENTS)),
});

const needs = (need: (profile: v.InferOutput<typeof Settings>) => boolean, expected: string) =>
  v.forward(
    v.check(
      (profile: v.InferOutput<typeof Settings>) =>
        profile.suite !== "wireguard-manual-1" || need(profile),
      `wireguard-manual-1 needs ${expected}`,
    ),
    ["suite"],
  );

/** The shape of {@linkcode Profile}, checked. */
export const ProfileSchema = v.pipe(
  Settings,
  needs(({ server }) => server.hasPresharedKey, "a key that both sides hold (--psk)"),
  needs(({ identity }) => identity.kind === "sealed", "--identity sealed: a card is not asked"),
);

/** Settings of one card for one holder. Times are Unix seconds. */
export type Profile = v.InferOutput<typeof ProfileSchema>;

/** Checks parsed JSON; tells a later version, and a suite that is not known yet, apart from garbage. */
export function checkProfile(value: unknown): Profile | "damaged" | "newer-version" {
  const version = v.safeParse(v.object({ v: v.pipe(v.number(), v.safeInteger()) }), value);
  if (version.success && version.output.v > PROFILE_VERSION) return "newer-version";
  const suite = v.safeParse(v.object({ suite: v.string() }), value);
  const isKnown = !suite.success || SUITES.some((known) => known === suite.output.suite);
  if (!isKnown) return "newer-version";
  const parsed = v.safeParse(ProfileSchema, value);
  return parsed.success ? parsed.output : "damaged";
}

/** The first thing wrong with a value as "path: what is expected", for whoever wrote it. */
export function explainProfile(value: unknown): string | undefined {
  const parsed = v.safeParse(ProfileSchema, value);
  if (parsed.success) return undefined;
  const [issue] = parsed.issues;
  return `${v.getDotPath(issue) ?? "profile"}: ${issue.message}`;
}

function isAddress(text: string): boolean {
  return isIpv4(text) || isIpv6(text);
}

function isCidr(text: string): boolean {
  const [host = "", length = "", ...rest] = text.split("/");
  if (rest.length > 0 || !/^(0|[1-9]\d{0,2})$/.test(length)) return false;
  return isIpv4(host) ? Number(length) <= 32 : isIpv6(host) && Number(length) <= 128;
}

function isIpv4(text: string): boolean {
  const parts = text.split(".");
  return parts.length === 4 &&
    parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255);
}

/** RFC 4291 section 2.2, without a zone. */
function isIpv6(text: string): boolean {
  const halves = text.split("::");
  if (halves.length > 2 || !text.includes(":")) return false;
  const groups = halves.map((half) => half === "" ? [] : half.split(":"));
  const last = groups.at(-1)?.at(-1);
  let count = groups.flat().length;
  if (last !== undefined && last.includes(".")) {
    if (!isIpv4(last)) return false;
    groups.at(-1)?.pop();
    count += 1;
  }
  if (!groups.flat().every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return false;
  return halves.length === 2 ? count <= 7 : count === 8;
}

/** Whether a text is "host:port", the host a name or an address. */
export function isEndpoint(text: string): boolean {
  const match = /^(?:\[([^\]]+)\]|([^:[\]\s]+)):([1-9]\d{0,4})$/.exec(text);
  if (match === null || Number(match[3]) > 65_535) return false;
  const [, six, host] = match;
  if (six !== undefined) return isIpv6(six);
  return host !== undefined && /^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/.test(host);
}
