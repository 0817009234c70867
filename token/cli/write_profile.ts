/** What `issue`, `import` and a batch have in common: from fields and keys to a card that carries them. */
import { stringify } from "smol-toml";
import { readHead, writeProfileToCard } from "../profile/carrier.ts";
import { checkHead } from "../profile/head.ts";
import type { IssuerSigner } from "../profile/jws.ts";
import type { Profile } from "../profile/profile.ts";
import { cardRecipient } from "../profile/recipients.ts";
import { type SealedProfile, sealProfile } from "../profile/seal.ts";
import type { ProfileHead } from "../profile/types.ts";
import { PIV_ALGORITHM } from "../piv/constants.ts";
import { formatBundle } from "../profile/bundle.ts";
import { type OpenedCard, openPiv, withSession } from "./card.ts";
import { beAdministrator, onCardKey, readSlot, sealingKey } from "./card_keys.ts";
import { claimOf, proveKeys } from "./claimed_keys.ts";
import { draftProfile, NOBODYS_IDENTITY } from "./draft.ts";
import { CommandError, UsageError } from "./errors.ts";
import type { Fields } from "./fields.ts";
import { mustBeNew, readBytes } from "./files.ts";
import { issuerOf } from "./issuer_key.ts";
import type { FlagKinds, Given } from "./options.ts";
import { type Output, stage, writeWith } from "./outputs.ts";
import {
  type AskedRecipients,
  askedRecipients,
  RECOVERY_FLAGS,
  RECOVERY_HELP,
} from "./recipient_flags.ts";
import { noRoom, sayBeside, whyNoRoom } from "./room.ts";
import {
  proofKeyOf,
  sharePaths,
  SPLIT_FLAGS,
  SPLIT_HELP,
  splitOptions,
  type SplitWish,
  splitWishOf,
} from "./split_flags.ts";
import { summarize, type Summary, summaryLines } from "./summary.ts";
import { openOpenPgp, writeForOpenPgp } from "./write_openpgp.ts";

/** Flags about card, keys and what is written beside the card. */
export const WRITE_FLAGS = {
  reader: "text",
  issuer: "text",
  "management-key-file": "text",
  "seal-slot": "text",
  "new-seal-key": "flag",
  openpgp: "flag",
  "key-object": "flag",
  "admin-pin-file": "text",
  "key-slot": "text",
  "new-key": "flag",
  ...RECOVERY_FLAGS,
  "backup-out": "text",
  "backup-password-file": "text",
  "bundle-out": "text",
  "peer-out": "text",
  "psk-out": "text",
  ...SPLIT_FLAGS,
  json: "flag",
} as const satisfies FlagKinds;

/** The help lines of {@linkcode WRITE_FLAGS}. */
export const WRITE_HELP = `  --issuer FILE               the issuer's key (token issuer-key)
  --reader NAME               the reader whose name contains NAME, when there are several
  --management-key-file FILE  the card's management key in hexadecimal (else the factory's)
  --seal-slot SLOT            the card's P-256 key that opens the profile: 9d (default), 82 to 95
  --new-seal-key              make a new one there, over any key
  --openpgp                   use the card's OpenPGP application, also where it has PIV; the profile
                              then lies beside the card (--bundle-out)
  --key-object                seal to a new key in its private object 3, so that profiles of before no
                              longer open, wherever copies lie; needs the PIN
  --admin-pin-file FILE       its administrator's PIN, for --new-seal-key
${RECOVERY_HELP}
  --backup-out FILE           a second container that a password opens (stock age tool)
  --backup-password-file FILE its password
  --bundle-out FILE           the profile as a file, sealed as on the card (token put); for a card
                              without room this is where it lies
  --peer-out FILE             what the hub needs of this client, as TOML
  --psk-out FILE              the preshared key, base64 (default: beside --peer-out, with .psk)
${SPLIT_HELP}
  --json                      the summary as one JSON object`;

/** Keys of the client; those that are sealed are wiped after use. */
export interface ClientKeys {
  readonly identity: { kind: "sealed"; publicKey: string; privateKey: Uint8Array } | {
    kind: "on-card";
  };
  readonly presharedKey: Uint8Array | undefined;
}

/** A profile to be written: what is known before the card is. */
export interface Writing {
  readonly fields: Fields;
  readonly keys: ClientKeys;
  /** Unix seconds. */
  readonly now: number;
  /** With it the card has to prove its keys. */
  readonly pin?: Uint8Array | undefined;
}

/** Signs, seals and writes a profile; says what was done. */
export async function writeProfile(given: Given, content: Writing): Promise<void> {
  const { keys } = content;
  try {
    const station = await openStation(given);
    const { peer, psk } = hubFiles(given, keys);
    const backup = given.text("backup-out");
    const bundle = given.text("bundle-out");
    for (const path of [peer, psk, backup, bundle, station.split?.shareOut]) mustBeNew(path);
    const request = { ...content, given, station, files: { peer, psk, backup, bundle } };
    const summary = await withSession(given.text("reader"), async (session) => {
      const piv = given.flag("openpgp") ? undefined : await openPiv(session);
      if (piv !== undefined) return await writeTo(piv, request);
      return await writeForOpenPgp(await openOpenPgp(session), request);
    });
    sayIssued(given, summary, station.asked.shown);
  } finally {
    wipeKeys(keys);
    content.pin?.fill(0);
  }
}

/** What the station itself brings: read and checked before a card is touched. */
export interface Station {
  readonly issuer: IssuerSigner;
  readonly asked: AskedRecipients;
  readonly split: SplitWish | undefined;
}

/** Reads what the command line names. */
export async function openStation(given: Given): Promise<Station> {
  const issuer = await issuerOf(given);
  return { issuer, asked: await askedRecipients(given), split: splitWishOf(given) };
}

/** Wipes what was sealed. */
export function wipeKeys(keys: ClientKeys): void {
  if (keys.identity.kind === "sealed") keys.identity.privateKey.fill(0);
  keys.presharedKey?.fill(0);
}

/** Where what belongs to a profile goes. */
export interface ProfileFiles {
  readonly peer: string | undefined;
  readonly psk: string | undefined;
  readonly backup?: string | undefined;
  readonly bundle?: string | undefined;
  /** Takes the profile when the card has no room and nobody named another file. */
  readonly beside?: string | undefined;
}

/** Writes one profile to one card, all or nothing. */
export async function writeTo(
  card: OpenedCard,
  request: Writing & { given: Given; station: Station; files: ProfileFiles },
): Promise<Summary> {
  const { given, fields, keys, now, station, pin } = request;
  const { issuer, asked, split } = station;
  const { piv } = card;
  const sealSlot = readSlot(given, "seal-slot", 0x9d);
  const keySlot = readSlot(given, "key-slot", 0x82);
  if (keys.identity.kind === "on-card" && keySlot === sealSlot) {
    throw new UsageError("Cannot use one slot for two keys: choose another --key-slot");
  }
  const former = await formerHead(card, { issuer, now });
  const context = {
    cardId: card.id,
    now,
    former: former === undefined ? undefined : { generation: former.generation },
    hasPresharedKey: keys.presharedKey !== undefined,
  };
  // Checked before the card is touched: until then any well-formed key stands for the client's.
  draftProfile(fields, { ...context, identity: NOBODYS_IDENTITY, recipients: asked.recipients });
  const password = await backupPassword(given);
  await beAdministrator(piv, given);
  const why = await whyNoRoom(piv);
  const { beside, ...named } = request.files;
  const files = why === undefined ? named : { ...named, bundle: named.bundle ?? beside };
  if (why !== undefined && files.bundle === undefined) throw noRoom(why);
  const sealedTo = await sealingKey(piv, {
    slot: sealSlot,
    known: former?.sealedTo,
    renew: given.flag("new-seal-key"),
  });
  const { identity } = keys;
  const ownKey = identity.kind === "sealed"
    ? undefined
    : await onCardKey(piv, { slot: keySlot, renew: given.flag("new-key") });
  const proof = split && await proofKeyOf(piv, split);
  await proveKeys(piv, [
    claimOf(sealedTo),
    ...(ownKey === undefined
      ? []
      : [{ slot: keySlot, algorithm: PIV_ALGORITHM.x25519, publicKey: ownKey }]),
    ...(proof === undefined ? [] : [claimOf(proof)]),
  ], pin);
  const own = { cardId: card.id, ...sealedTo, ...(proof === undefined ? {} : { proof }) };
  const profile = draftProfile(fields, {
    ...context,
    recipients: [cardRecipient("card", own), ...asked.recipients],
    identity: identity.kind === "sealed" ? { kind: "sealed", publicKey: identity.publicKey } : {
      kind: "on-card",
      slot: keySlot,
      publicKey: ownKey?.toBase64() ?? "",
    },
  });
  const sealed = await sealProfile({
    profile,
    ...(identity.kind === "sealed" ? { privateKey: identity.privateKey } : {}),
    ...(keys.presharedKey === undefined ? {} : { presharedKey: keys.presharedKey }),
  }, {
    issuer,
    sealedTo,
    recovery: asked.recipients.flatMap((one) => "recipient" in one ? [one.recipient] : []),
    ...(password === undefined ? {} : { password }),
    ...(split === undefined || proof === undefined ? {} : { split: splitOptions(split, proof) }),
  });
  password?.fill(0);
  const outputs: Output[] = [
    ...asked.outputs,
    ...outputsOf({ sealed, files, split }),
    ...await hubOutputs(profile, { keys, files }),
  ];
  if (why === undefined) await putOnCard(card, { sealed, outputs });
  else {
    await (await stage(outputs)).commit();
    sayBeside(files.bundle ?? "", why);
  }
  return summarize(profile, {
    issuer: issuer.publicKey,
    hub: split?.hub,
    files: {
      ...files,
      psk: keys.presharedKey === undefined ? undefined : files.psk,
      share: split?.shareOut,
      recovery: asked.outputs[0]?.path,
    },
  });
}

/** The files first, aside; then the card; then their names. */
export async function putOnCard(
  { piv }: OpenedCard,
  { sealed, outputs }: { sealed: SealedProfile; outputs: readonly Output[] },
): Promise<void> {
  await writeWith(outputs, { what: "card", write: () => writeProfileToCard(piv, sealed) });
}

/** The sealed forms of a profile that go into files. */
export function outputsOf(
  { sealed, files, split }: {
    sealed: SealedProfile;
    files: ProfileFiles;
    split: { shareOut: string } | undefined;
  },
): Output[] {
  const outputs: Output[] = [];
  const { backup, bundle } = files;
  if (backup !== undefined && sealed.backup !== undefined) {
    outputs.push({ path: backup, content: sealed.backup });
  }
  if (bundle !== undefined) outputs.push({ path: bundle, content: formatBundle(sealed) });
  if (split !== undefined && sealed.hubShare !== undefined) {
    outputs.push({ path: split.shareOut, content: sealed.hubShare });
    const others = [...sealed.otherShares].map(([cardId, content]) => ({ cardId, content }));
    const paths = sharePaths(split.shareOut, others);
    for (const { cardId, content } of others) {
      outputs.push({ path: paths.get(cardId) ?? "", content });
    }
  }
  return outputs;
}

/** What the hub calls the key that both sides hold. */
const KEY_FILE = {
  "wireguard-1": "preshared_key_file",
  "wireguard-manual-1": "manual_key_file",
} as const satisfies Record<Profile["suite"], string>;

/** What the hub needs of a client. */
export async function hubOutputs(
  profile: Profile,
  { keys, files }: { keys: Pick<ClientKeys, "presharedKey">; files: ProfileFiles },
): Promise<Output[]> {
  const outputs: Output[] = [];
  const { presharedKey } = keys;
  const psk = presharedKey === undefined ? undefined : files.psk;
  if (presharedKey !== undefined && psk !== undefined) {
    outputs.push({ path: psk, content: `${presharedKey.toBase64()}\n` });
  }
  if (files.peer === undefined) return outputs;
  const client = {
    name: profile.clientId,
    public_key: profile.identity.publicKey,
    ...(psk === undefined ? {} : { [KEY_FILE[profile.suite]]: await absolute(psk) }),
    addresses: profile.tunnel.addresses,
    networks: profile.destinations.networks,
    ...(profile.inbound === undefined ? {} : { inbound: profile.inbound }),
    token: { card: profile.cardId, profile: profile.id, generation: profile.generation },
  };
  return [...outputs, { path: files.peer, content: stringify({ client: [client] }) + "\n" }];
}

/** Where the hub's part goes, by the command line. */
export function hubFiles(
  given: Given,
  keys: Pick<ClientKeys, "presharedKey">,
): { peer: string | undefined; psk: string | undefined } {
  const peer = given.text("peer-out");
  const psk = given.text("psk-out") ?? (peer === undefined ? undefined : `${peer}.psk`);
  return { peer, psk: keys.presharedKey === undefined ? undefined : psk };
}

/** Prints the summary, and a secret that is shown once. */
export function sayIssued(given: Given, summary: Summary, shown: string | undefined): void {
  if (Date.parse(summary.expires) <= Date.now()) {
    console.error("warning: the profile has expired already: nobody takes it (--expires)");
  }
  if (given.flag("json")) return console.log(JSON.stringify(summary));
  console.log(
    `Issued profile ${summary.profile} (generation ${summary.generation}) for ` +
      `${summary.holder} to the card ${summary.card}.`,
  );
  for (const line of summaryLines(summary)) console.log(line);
  if (shown === undefined) return;
  console.log(
    `\nThe recovery identity, shown this once. Whoever has it and the sealed profile has the keys ` +
      `in it:\n${shown.trimEnd()}`,
  );
}

/** The head that this issuer wrote before, if there is one. */
export async function formerHead(
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
  if (checked.result !== "fault") return checked.head;
  console.error("warning: the card carried a profile that is not this issuer's; it is replaced");
  return undefined;
}

/** The password of a second container, which the caller wipes. */
export async function backupPassword(given: Given): Promise<Uint8Array | undefined> {
  const path = given.text("backup-password-file");
  if ((path === undefined) !== (given.text("backup-out") === undefined)) {
    throw new UsageError(
      "Cannot write a backup: --backup-out and --backup-password-file go together",
    );
  }
  return path === undefined ? undefined : await readPasswordFile(path);
}

/** The first line of a file, not empty. */
export async function readPasswordFile(path: string): Promise<Uint8Array> {
  const bytes = await readBytes(path, 1024);
  const end = bytes.findIndex((byte) => byte === 0x0a || byte === 0x0d);
  const password = end < 0 ? bytes : bytes.slice(0, end);
  if (password.length === 0) throw new CommandError(`Cannot use ${path}: the password is empty`);
  return password;
}

/** The file itself is not there yet, its folder is. */
async function absolute(path: string): Promise<string> {
  const slash = path.lastIndexOf("/");
  const folder = slash < 0 ? "." : path.slice(0, slash + 1);
  return `${(await Deno.realPath(folder)).replace(/\/$/, "")}/${path.slice(slash + 1)}`;
}
