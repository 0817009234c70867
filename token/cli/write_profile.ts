/** What `issue` and `import` have in common: from fields and keys to a card that carries them. */
import { Encrypter } from "age-encryption";
import { ulid } from "ulid";
import { stringify } from "smol-toml";
import { readHead, writeProfileToCard } from "../profile/carrier.ts";
import { checkHead } from "../profile/head.ts";
import type { IssuerSigner } from "../profile/jws.ts";
import { checkProfile, explainProfile, type Profile, PROFILE_VERSION } from "../profile/profile.ts";
import { sealProfile } from "../profile/seal.ts";
import type { ProfileHead } from "../profile/types.ts";
import { type OpenedCard, withCard } from "./card.ts";
import { beAdministrator, onCardKey, readSlot, sealingKey } from "./card_keys.ts";
import { CommandError, UsageError } from "./errors.ts";
import type { Fields } from "./fields.ts";
import { mustBeNew, readBytes, writeSecret } from "./files.ts";
import { issuerOf } from "./issuer_key.ts";
import type { FlagKinds, Given } from "./options.ts";

/** Flags about card, keys and what is written beside the card. */
export const WRITE_FLAGS = {
  reader: "text",
  issuer: "text",
  "management-key-file": "text",
  "seal-slot": "text",
  "new-seal-key": "flag",
  "key-slot": "text",
  "new-key": "flag",
  recovery: "list",
  "backup-out": "text",
  "backup-password-file": "text",
  "peer-out": "text",
  "psk-out": "text",
} as const satisfies FlagKinds;

/** The help lines of {@linkcode WRITE_FLAGS}. */
export const WRITE_HELP = `  --issuer FILE               the issuer's key (token issuer-key)
  --reader NAME               the reader whose name contains NAME, when there are several
  --management-key-file FILE  the card's management key in hexadecimal (else the factory's)
  --seal-slot SLOT            the card's P-256 key that opens the profile: 9d (default), 82 to 95
  --new-seal-key              make a new one there, over any key
  --recovery age1...          a stock age recipient that can open the profile too (repeat)
  --backup-out FILE           a second container that a password opens (stock age tool)
  --backup-password-file FILE its password
  --peer-out FILE             what the hub needs of this client, as TOML
  --psk-out FILE              the preshared key, base64 (default: beside --peer-out, with .psk)`;

/** A well-formed key of no one. */
const PLACEHOLDER = new Uint8Array(32).toBase64();

/** Keys of the client; those that are sealed are wiped after use. */
export interface ClientKeys {
  readonly identity: { kind: "sealed"; publicKey: string; privateKey: Uint8Array } | {
    kind: "on-card";
  };
  readonly presharedKey: Uint8Array | undefined;
}

/** Signs, seals and writes a profile; says what was done. */
export async function writeProfile(
  given: Given,
  content: { fields: Fields; keys: ClientKeys; now: number },
): Promise<void> {
  const { keys } = content;
  const issuer = await issuerOf(given);
  const outputs = outputsOf(given, keys);
  checkRecovery(given.list("recovery"));
  const password = await backupPassword(given);
  try {
    await withCard(given.text("reader"), async (card) => {
      const profile = await writeToCard(card, { ...content, given, issuer, password });
      await outputs(profile);
      console.log(
        `Issued profile ${profile.id} (generation ${profile.generation}) for ` +
          `${profile.user.name} to the card ${card.id}.`,
      );
      console.log(`client public key: ${profile.identity.publicKey}`);
    });
  } finally {
    if (keys.identity.kind === "sealed") keys.identity.privateKey.fill(0);
    keys.presharedKey?.fill(0);
    password?.fill(0);
  }
}

async function writeToCard(
  card: OpenedCard,
  request: {
    given: Given;
    fields: Fields;
    keys: ClientKeys;
    now: number;
    issuer: IssuerSigner;
    password: Uint8Array | undefined;
  },
): Promise<Profile> {
  const { given, fields, keys, now, issuer, password } = request;
  const { piv } = card;
  const sealSlot = readSlot(given, "seal-slot", 0x9d);
  const keySlot = readSlot(given, "key-slot", 0x82);
  if (keys.identity.kind === "on-card" && keySlot === sealSlot) {
    throw new UsageError("Cannot use one slot for two keys: choose another --key-slot");
  }
  const former = await formerHead(card, { issuer, now });
  // Checked before the card is touched: until then any well-formed key stands for the client's.
  const draft = draftProfile(fields, { card, now, former, hasPresharedKey: !!keys.presharedKey });
  check({ ...draft, identity: { kind: "sealed", publicKey: PLACEHOLDER } });
  await beAdministrator(piv, given);
  const sealedTo = await sealingKey(piv, {
    slot: sealSlot,
    known: former?.sealedTo,
    renew: given.flag("new-seal-key"),
  });
  const { identity } = keys;
  const profile = check({
    ...draft,
    identity: identity.kind === "sealed" ? { kind: "sealed", publicKey: identity.publicKey } : {
      kind: "on-card",
      slot: keySlot,
      publicKey: await onCardKey(piv, { slot: keySlot, renew: given.flag("new-key") }),
    },
  });
  const { head, sealed, backup } = await sealProfile({
    profile,
    ...(identity.kind === "sealed" ? { privateKey: identity.privateKey } : {}),
    ...(keys.presharedKey === undefined ? {} : { presharedKey: keys.presharedKey }),
  }, {
    issuer,
    sealedTo,
    recovery: given.list("recovery"),
    ...(password === undefined ? {} : { password }),
  });
  if (backup !== undefined) await writeSecret(given.text("backup-out") ?? "", backup);
  await writeProfileToCard(piv, { head, sealed });
  return profile;
}

function draftProfile(
  fields: Fields,
  from: {
    card: OpenedCard;
    now: number;
    former: ProfileHead | undefined;
    hasPresharedKey: boolean;
  },
) {
  const { card, now, former, hasPresharedKey } = from;
  const { mtu, keepalive } = fields;
  return {
    v: PROFILE_VERSION,
    id: ulid(now * 1000),
    cardId: card.id,
    // Time alone would do, and lets a card start anew after a reset; the count is for fast hands.
    generation: Math.max(now, (former?.generation ?? 0) + 1),
    issuedAt: now,
    expiresAt: fields.expiresAt,
    user: fields.user,
    clientId: fields.clientId,
    serverId: fields.serverId,
    tunnel: {
      addresses: fields.addresses,
      dns: fields.dns,
      ...(mtu === undefined ? {} : { mtu }),
    },
    server: {
      publicKey: fields.serverKey,
      endpoints: fields.endpoints,
      hasPresharedKey,
      ...(keepalive === undefined ? {} : { persistentKeepalive: keepalive }),
    },
    destinations: { networks: fields.networks, domains: fields.domains },
    otherTraffic: fields.otherTraffic,
    suite: "wireguard-1",
  };
}

function check(value: unknown): Profile {
  const profile = checkProfile(value);
  if (typeof profile !== "string") return profile;
  throw new UsageError(`Cannot issue the profile: ${explainProfile(value) ?? profile}`);
}

/** The head that this issuer wrote before, if there is one. */
async function formerHead(
  card: OpenedCard,
  options: { issuer: IssuerSigner; now: number },
): Promise<ProfileHead | undefined> {
  const read = await readHead(card.piv);
  if (read.result === "fault") return undefined;
  const checked = await checkHead(read.carried.head, {
    issuerKeys: [options.issuer.publicKey],
    cardId: card.id,
    now: options.now,
    highestGeneration: 0,
  });
  return checked.result === "fault" ? undefined : checked.head;
}

async function backupPassword(given: Given): Promise<Uint8Array | undefined> {
  const path = given.text("backup-password-file");
  if ((path === undefined) !== (given.text("backup-out") === undefined)) {
    throw new UsageError(
      "Cannot write a backup: --backup-out and --backup-password-file go together",
    );
  }
  if (path === undefined) return undefined;
  const bytes = await readBytes(path, 1024);
  const end = bytes.findIndex((byte) => byte === 0x0a || byte === 0x0d);
  const password = end < 0 ? bytes : bytes.slice(0, end);
  if (password.length === 0) throw new CommandError(`Cannot use ${path}: the password is empty`);
  return password;
}

function checkRecovery(recipients: readonly string[]): void {
  for (const recipient of recipients) {
    try {
      new Encrypter().addRecipient(recipient);
    } catch {
      throw new UsageError(`Cannot seal to ${recipient}: it is no age recipient (age-keygen -y)`);
    }
  }
}

/** Decides where the hub's part goes before anything is written. */
function outputsOf(given: Given, keys: ClientKeys): (profile: Profile) => Promise<void> {
  const peerPath = given.text("peer-out");
  const pskPath = given.text("psk-out") ?? (peerPath === undefined ? undefined : `${peerPath}.psk`);
  const { presharedKey } = keys;
  const kept = presharedKey === undefined ? undefined : pskPath;
  for (const path of [peerPath, kept, given.text("backup-out")]) mustBeNew(path);
  return async (profile) => {
    if (presharedKey !== undefined && pskPath !== undefined) {
      await writeSecret(pskPath, `${presharedKey.toBase64()}\n`);
    }
    if (peerPath === undefined) return;
    const client = {
      name: profile.clientId,
      public_key: profile.identity.publicKey,
      ...(presharedKey === undefined || pskPath === undefined
        ? {}
        : { preshared_key_file: await Deno.realPath(pskPath) }),
      addresses: profile.tunnel.addresses,
      networks: profile.destinations.networks,
    };
    await writeSecret(peerPath, stringify({ client: [client] }) + "\n");
  };
}
