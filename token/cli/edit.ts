/** `token edit` and `token renew`: a card's or stick's profile with other settings, the same keys. */
import { makeWireGuardKey } from "../profile/wireguard_key.ts";
import { CHANGE_FLAGS, CHANGE_HELP, type Key, type OpenedProfile, readKey } from "./change.ts";
import { type Changeable, withChangeable } from "./changeable.ts";
import { draftProfile } from "./draft.ts";
import { CommandError, UsageError } from "./errors.ts";
import { FIELD_FLAGS, FIELD_HELP, type Fields, readFields } from "./fields.ts";
import { issuerOf } from "./issuer_key.ts";
import { type Given, readOptions } from "./options.ts";
import { readPresharedKey } from "./preshared_key.ts";
import type { Summary } from "./summary.ts";
import { hubFiles } from "./profile_files.ts";
import { sayIssued } from "./say_issued.ts";

const EDIT_HELP = `Usage: token edit --issuer FILE [--from FILE.toml] [options]

Changes settings of the card's profile: what is not named stays. The keys stay too, and everybody
who could open the former one can open this one. Its generation rises.

  --from FILE.toml            settings; flags override them
${FIELD_HELP}

  --new-keys                  a new WireGuard key pair (not for a key that was made on the card)
  --psk                       a new preshared key
  --psk-file FILE             the preshared key in FILE (base64)
  --no-psk                    no preshared key any more
  --peer-out FILE             what the hub needs of this client, as TOML
  --psk-out FILE              the preshared key, base64 (default: beside --peer-out, with .psk)
${CHANGE_HELP}
  --help                      this text`;

const RENEW_HELP = `Usage: token renew --issuer FILE [--expires WHEN] [options]

Gives the card's profile another expiry; everything else stays. An expired one can be renewed.

  --expires WHEN              a date (2027-12-31, RFC 3339) or days from now (default 365d)
${CHANGE_HELP}
  --help                      this text`;

/** Runs `token edit`. */
export async function edit(args: string[]): Promise<number> {
  const given = readOptions(args, {
    flags: {
      ...FIELD_FLAGS,
      ...CHANGE_FLAGS,
      from: "text",
      "new-keys": "flag",
      psk: "flag",
      "psk-file": "text",
      "no-psk": "flag",
      "peer-out": "text",
      "psk-out": "text",
    },
  });
  if (given === "help") {
    console.log(EDIT_HELP);
    return 0;
  }
  if (given.flag("no-psk") && (given.flag("psk") || given.text("psk-file") !== undefined)) {
    throw new UsageError("Cannot have a preshared key and none: --no-psk excludes the others");
  }
  await change(given, { defaultExpiry: undefined });
  return 0;
}

/** Runs `token renew`. */
export async function renew(args: string[]): Promise<number> {
  const given = readOptions(args, { flags: { ...CHANGE_FLAGS, expires: "text" } });
  if (given === "help") {
    console.log(RENEW_HELP);
    return 0;
  }
  await change(given, { defaultExpiry: "365d" });
  return 0;
}

async function change(
  given: Given,
  options: { defaultExpiry: string | undefined },
): Promise<void> {
  const issuer = await issuerOf(given);
  const newPsk = await readPresharedKey(given);
  const key = await readKey(given);
  try {
    const summary = await withChangeable(
      given,
      issuer,
      (token) => changeOn(token, { ...options, given, issuer, newPsk, key }),
    );
    sayIssued(given, summary, undefined);
  } finally {
    newPsk?.fill(0);
    key.pin?.fill(0);
  }
}

async function changeOn(
  token: Changeable,
  request: {
    given: Given;
    issuer: Awaited<ReturnType<typeof issuerOf>>;
    newPsk: Uint8Array | undefined;
    key: Key;
    defaultExpiry: string | undefined;
  },
): Promise<Summary> {
  const { given, issuer, newPsk, defaultExpiry } = request;
  const now = Math.floor(Date.now() / 1000);
  using former = await token.open({ issuer, key: request.key, now });
  const known = fieldsOf(former);
  const fields = await readFields(given, {
    path: given.text("from"),
    now,
    known: defaultExpiry === undefined ? known : { ...known, expiresAt: undefined },
  });
  const presharedKey = given.flag("no-psk") ? undefined : newPsk ?? former.presharedKey;
  const pair = given.flag("new-keys") ? newPair(former) : undefined;
  const profile = draftProfile(fields, {
    cardId: former.profile.cardId,
    now,
    former: former.head,
    identity: pair === undefined
      ? former.profile.identity
      : { kind: "sealed", publicKey: pair.publicKey },
    hasPresharedKey: presharedKey !== undefined,
    recipients: former.recipients,
  });
  try {
    return await token.write(former, {
      given,
      issuer,
      now,
      profile,
      privateKey: pair?.privateKey ?? former.privateKey,
      presharedKey,
      recipients: former.recipients,
      files: hubFiles(given, { presharedKey }),
    });
  } finally {
    pair?.privateKey.fill(0);
  }
}

function newPair({ profile }: OpenedProfile) {
  if (profile.identity.kind === "sealed") return makeWireGuardKey();
  throw new CommandError(
    "Cannot make new keys: this one was made on the card; use token issue --identity on-card " +
      "--new-key",
  );
}

/** The fields of a profile, as an issuer would write them. */
function fieldsOf({ profile }: OpenedProfile): Fields {
  const { tunnel, server, destinations } = profile;
  return {
    clientId: profile.clientId,
    serverId: profile.serverId,
    user: profile.user,
    asksUserId: profile.asksUserId ?? false,
    expiresAt: profile.expiresAt,
    addresses: tunnel.addresses,
    dns: tunnel.dns,
    ...(tunnel.mtu === undefined ? {} : { mtu: tunnel.mtu }),
    serverKey: server.publicKey,
    endpoints: server.endpoints,
    ...(server.persistentKeepalive === undefined ? {} : { keepalive: server.persistentKeepalive }),
    networks: destinations.networks,
    domains: destinations.domains,
    otherTraffic: profile.otherTraffic,
    inbound: profile.inbound ?? [],
    suite: profile.suite,
  };
}
