/** A profile that is there already, opened at its issuer's station and written again. */
import { SecretMemory } from "../../os/secret_memory.ts";
import { readAgeIdentity } from "../profile/age_identity.ts";
import { readHead, readSealed } from "../profile/carrier.ts";
import { checkHead } from "../profile/head.ts";
import type { IssuerSigner } from "../profile/jws.ts";
import { openProfile } from "../profile/open.ts";
import { passkeyNonce, passkeysIn } from "../profile/passkeys.ts";
import type { Profile, ProfileRecipient } from "../profile/profile.ts";
import { cardRecipient, cardsOf } from "../profile/recipients.ts";
import { sealProfile } from "../profile/seal.ts";
import type { FileKeyIdentity, Opened, ProfileHead } from "../profile/types.ts";
import { type OpenedCard, pinFault } from "./card.ts";
import { beAdministrator } from "./card_keys.ts";
import { checkDraft } from "./draft.ts";
import { CommandError } from "./errors.ts";
import { mustBeNew, readBytes } from "./files.ts";
import type { FlagKinds, Given } from "./options.ts";
import { PIN_FLAGS, PIN_HELP } from "./options.ts";
import type { Output } from "./outputs.ts";
import { cardIdentity, claimedIssuer, profileFault } from "./read_profile.ts";
import { readSecrets } from "./secret_input.ts";
import { proofKeyOf, sharePaths, splitOptions, type SplitWish } from "./split_flags.ts";
import { summarize, type Summary } from "./summary.ts";
import { readPasswordFile } from "./password_file.ts";
import { hubOutputs, outputsOf, type ProfileFiles } from "./profile_files.ts";
import { putOnCard } from "./write_piv.ts";

/** Flags of every command that changes a profile. */
export const CHANGE_FLAGS = {
  issuer: "text",
  reader: "text",
  stick: "text",
  "management-key-file": "text",
  ...PIN_FLAGS,
  "identity-file": "text",
  "identity-password-file": "text",
  bundle: "text",
  "bundle-out": "text",
  "share-out": "text",
  json: "flag",
} as const satisfies FlagKinds;

/** The help lines of {@linkcode CHANGE_FLAGS}. */
export const CHANGE_HELP =
  `  --issuer FILE               the issuer's key: the one that signed the profile
  --reader NAME               the reader whose name contains NAME, when there are several
  --stick DEVICE|FILE         not a card but this stick; its password stands where the PIN does
  --management-key-file FILE  the card's management key in hexadecimal (else the factory's)
${PIN_HELP}
  --identity-file FILE        open the profile with an age identity instead of the card's PIN
  --identity-password-file FILE  the password of that identity
  --bundle-out FILE           the new profile as a file, for other cards, a stick (token put)
  --bundle FILE               the profile lies in FILE beside the card; --bundle-out takes the new one
  --share-out FILE            the hub's new half, when the profile is split
  --json                      the summary as one JSON object`;

/** How a profile is opened at the station. */
export interface Key {
  readonly pin?: Uint8Array;
  readonly identityFile?: string;
  readonly identityPasswordFile?: string;
}

/** What a person is asked for. */
export function secretName(given: Given): "PIN" | "Password" {
  return given.text("stick") === undefined ? "PIN" : "Password";
}

/** Asks for the PIN, unless an identity is to open the profile. */
export async function readKey(given: Given): Promise<Key> {
  const identityFile = given.text("identity-file");
  if (identityFile !== undefined) {
    const identityPasswordFile = given.text("identity-password-file");
    return {
      identityFile,
      ...(identityPasswordFile === undefined ? {} : { identityPasswordFile }),
    };
  }
  const [pin] = await readSecrets(given, [secretName(given)]);
  return pin === undefined ? {} : { pin };
}

/** A profile with its keys, which go when it is disposed of. */
export interface OpenedProfile extends Disposable {
  readonly head: ProfileHead;
  readonly profile: Profile;
  readonly privateKey: Uint8Array | undefined;
  readonly presharedKey: Uint8Array | undefined;
  /** Everybody who can open it. */
  readonly recipients: readonly ProfileRecipient[];
}

/**
 * Opens the card's profile for a change.
 * @throws {CommandError} when this issuer may not change it, or it can't be opened.
 */
export async function openForChange(
  card: OpenedCard,
  options: { issuer: IssuerSigner; key: Key; now: number },
): Promise<OpenedProfile> {
  const { issuer, key, now } = options;
  const read = await readHead(card.piv);
  if (read.result === "fault") throw profileFault(read.fault);
  const checked = await checkHead(read.carried.head, {
    issuerKeys: [issuer.publicKey],
    cardId: card.id,
    now,
    highestGeneration: 0,
  });
  if (checked.result === "fault") {
    const [claimed] = claimedIssuer(read.carried.head);
    if (checked.fault === "forged" && claimed !== undefined && claimed !== issuer.publicKey) {
      throw new CommandError(
        `Cannot change the profile: only its issuer can, ${claimed}; use that key, or issue anew`,
      );
    }
    throw profileFault(checked.fault);
  }
  const { head } = checked;
  const sealed = await readSealed(card.piv, read.carried);
  if (sealed === undefined) throw profileFault("damaged");
  notePasskeys(sealed, head);
  const secrets = SecretMemory.allocate(64);
  try {
    const identity = await identityOf(card, { head, key });
    const opened = await openProfile({
      sealed,
      head,
      identity,
      issuerKeys: [issuer.publicKey],
      secrets,
    });
    if (opened.result === "fault") {
      if (opened.fault === "other-card" && key.identityFile !== undefined) {
        throw new CommandError(
          `Cannot open the profile: it is not sealed to ${key.identityFile}; use the PIN`,
        );
      }
      throw profileFault(opened.fault);
    }
    return asOpened(opened, { head, secrets });
  } catch (error) {
    secrets.free();
    throw error;
  }
}

/** What becomes of a profile. */
export interface Change {
  readonly given: Given;
  readonly issuer: IssuerSigner;
  /** Unix seconds. */
  readonly now: number;
  /** Without generation and dates of issue, which follow. */
  readonly profile: Profile;
  readonly privateKey: Uint8Array | undefined;
  readonly presharedKey: Uint8Array | undefined;
  readonly recipients: readonly ProfileRecipient[];
  readonly files: ProfileFiles;
  readonly outputs?: readonly Output[];
}

/** Signs and seals what was changed to all its recipients, and writes it; the generation rises. */
export async function writeChange(
  card: OpenedCard,
  former: OpenedProfile,
  change: Change,
): Promise<Summary> {
  const { given, issuer, privateKey, presharedKey, files } = change;
  const { head } = former;
  const split = splitAgain(given, head);
  const bundle = given.text("bundle-out");
  const recipients = split === undefined
    ? change.recipients
    : await provenRecipients(card, change.recipients, split);
  const profile = nextProfile(former, { ...change, recipients });
  const cards = cardsOf(recipients);
  const own = cards.find(({ cardId }) => cardId === card.id);
  const others = cards.filter(({ cardId }) => cardId !== profile.cardId);
  const first = cards.find(({ cardId }) => cardId === profile.cardId);
  if (own === undefined || first === undefined) {
    throw new CommandError(
      "Cannot write the profile: this card is not among its recipients; issue one for it",
    );
  }
  const shares = split === undefined ? [] : sharePaths(split.shareOut, others).values();
  for (const path of [bundle, split?.shareOut, ...shares, files.peer, files.psk]) mustBeNew(path);
  await beAdministrator(card.piv, given);
  const sealed = await sealProfile({
    profile,
    ...(privateKey === undefined ? {} : { privateKey }),
    ...(presharedKey === undefined ? {} : { presharedKey }),
  }, {
    issuer,
    sealedTo: { slot: first.slot, publicKey: first.publicKey },
    otherCards: others,
    recovery: recipients.flatMap((one) => "recipient" in one ? [one.recipient] : []),
    ...(split === undefined || first.proof === undefined
      ? {}
      : { split: splitOptions(split, first.proof) }),
  });
  const outputs = [
    ...change.outputs ?? [],
    ...outputsOf({ sealed, files: { ...files, bundle }, split }),
    ...await hubOutputs(profile, { keys: { presharedKey }, files }),
  ];
  const ownHead = card.id === profile.cardId ? sealed.head : sealed.otherHeads.get(card.id);
  await putOnCard(card, { sealed: { ...sealed, head: ownHead ?? sealed.head }, outputs });
  for (const other of cards.filter(({ cardId }) => cardId !== card.id)) {
    if (bundle !== undefined) continue;
    console.error(
      `warning: the card ${other.cardId} keeps the former profile until it gets this one ` +
        "(--bundle-out FILE, then token put FILE)",
    );
  }
  return summarize(profile, {
    issuer: issuer.publicKey,
    hub: split?.hub,
    files: {
      bundle,
      share: split?.shareOut,
      ...files,
      psk: presharedKey === undefined ? undefined : files.psk,
    },
  });
}

/** The changed profile with its generation, dates and recipients. */
export function nextProfile(
  { head }: OpenedProfile,
  { profile, now, recipients }: Change,
): Profile {
  const generation = Math.max(now, head.generation + 1);
  return checkDraft({ ...profile, generation, issuedAt: now, recipients });
}

/** Says which passkeys don't open what is written next: each works for one issue only. */
export function notePasskeys(sealed: Uint8Array, { inner }: ProfileHead): void {
  const names = passkeysIn(sealed, passkeyNonce(inner)).map(({ name }) => name);
  if (names.length === 0) return;
  console.error(
    `note: these passkeys don't open the new profile until they are added again: ` +
      names.join(", "),
  );
}

/** An opened profile as changes want it; `secrets` goes with it. */
export function asOpened(
  opened: Extract<Opened, { result: "ok" }>,
  { head, secrets }: { head: ProfileHead; secrets: SecretMemory },
): OpenedProfile {
  const { profile, privateKey, presharedKey } = opened;
  const { sealedTo } = head;
  const recipients = profile.recipients ??
    (sealedTo === undefined ? [] : [cardRecipient("card", { cardId: head.cardId, ...sealedTo })]);
  return {
    head,
    profile,
    recipients,
    privateKey: privateKey?.bytes,
    presharedKey: presharedKey?.bytes,
    [Symbol.dispose]: () => secrets.free(),
  };
}

async function identityOf(card: OpenedCard, { head, key }: { head: ProfileHead; key: Key }) {
  const { pin, identityFile: path } = key;
  if (path !== undefined) return await identityInFile(path, key);
  if (pin === undefined) throw new Error("One question has one answer");
  const fault = pinFault("PIN", await card.piv.verifyPin(pin));
  pin.fill(0);
  if (fault !== undefined) throw fault;
  return cardIdentity(card.piv, head);
}

/** The age identity in a file that `--identity-file` names. */
export async function identityInFile(path: string, key: Key): Promise<FileKeyIdentity> {
  const password = key.identityPasswordFile === undefined
    ? undefined
    : await readPasswordFile(key.identityPasswordFile);
  const identity = await readAgeIdentity(await readBytes(path), password);
  password?.fill(0);
  if (typeof identity !== "string") return identity;
  const words = {
    "needs-password": "it is sealed; give --identity-password-file",
    "wrong-password": "wrong password; try again",
    "no-identity": "it holds no age identity",
  };
  throw new CommandError(`Cannot use ${path}: ${words[identity]}`);
}

/**
 * The recipients, each card with the key that proves it to the hub. Profiles of before name none;
 * then it is the key of the one card that they have.
 */
async function provenRecipients(
  card: OpenedCard,
  recipients: readonly ProfileRecipient[],
  split: SplitWish,
): Promise<readonly ProfileRecipient[]> {
  const proven: ProfileRecipient[] = [];
  for (const one of recipients) {
    if (one.kind !== "card" || one.proof !== undefined) {
      proven.push(one);
      continue;
    }
    if (one.cardId !== card.id) {
      throw new CommandError(
        `Cannot split the profile for ${one.name}: the key that proves that card to the hub is ` +
          "not known; write it down with token card-key --for-hub",
      );
    }
    const [own] = cardsOf([one]);
    if (own === undefined) throw new Error("A card is a card");
    proven.push(cardRecipient(one.name, { ...own, proof: await proofKeyOf(card.piv, split) }));
  }
  return proven;
}

/** A split profile is split anew; where its hub is doesn't change. */
function splitAgain(given: Given, { split }: ProfileHead): SplitWish | undefined {
  const shareOut = given.text("share-out");
  if (split === undefined) {
    if (shareOut === undefined) return undefined;
    throw new CommandError("Cannot write a hub's half: the profile is not split; issue it anew");
  }
  if (shareOut === undefined) {
    throw new CommandError(
      "Cannot change a split profile: its hub needs a new half too; give --share-out FILE",
    );
  }
  const { hub, hubKey, proofSlot } = split;
  return { hub, hubKey, proofSlot, newProofKey: false, shareOut };
}
