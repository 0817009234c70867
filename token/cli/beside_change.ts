/** A profile that lies in a file beside its card, opened with that card and written to another file. */
import { SecretMemory } from "../../os/secret_memory.ts";
import { cardIdentity as openPgpIdentity } from "../openpgp/card_identity.ts";
import type { CardSession } from "../pcsc/types.ts";
import type { PinResult } from "../piv/client_types.ts";
import { type Bundle, LONGEST_BUNDLE, parseBundle } from "../profile/bundle.ts";
import { headFor } from "../profile/bundle_folder.ts";
import { checkHead } from "../profile/head.ts";
import type { IssuerSigner } from "../profile/jws.ts";
import { openProfile } from "../profile/open.ts";
import { cardsOf } from "../profile/recipients.ts";
import { sealProfile } from "../profile/seal.ts";
import type { FileKeyIdentity, ProfileHead } from "../profile/types.ts";
import { touchedOpenPgp } from "../touch.ts";
import { openPiv, pinFault } from "./card.ts";
import {
  asOpened,
  type Change,
  identityInFile,
  type Key,
  nextProfile,
  notePasskeys,
  type OpenedProfile,
} from "./change.ts";
import { CommandError, UsageError } from "./errors.ts";
import { mustBeNew, readBytes } from "./files.ts";
import { stage } from "./outputs.ts";
import { cardIdentity, profileFault, sayTouch } from "./read_profile.ts";
import { sayBeside } from "./room.ts";
import { summarize, type Summary } from "./summary.ts";
import { openOpenPgp } from "./write_openpgp.ts";
import { hubOutputs, outputsOf } from "./profile_files.ts";

/** A card, and its profile in a file. */
export interface Beside {
  readonly cardId: string;
  readonly head: Uint8Array;
  readonly sealed: Uint8Array;
  readonly verifyPin: (pin: Uint8Array) => Promise<PinResult>;
  /** Opening with the card, whose PIN must be verified. */
  readonly identity: (head: ProfileHead) => FileKeyIdentity;
}

/**
 * The card's application that the file is for.
 * @throws {CommandError} when the file is no profile, or is another card's.
 */
export async function findBeside(session: CardSession, path: string): Promise<Beside> {
  const bundle = parseBundle(new TextDecoder().decode(await readBytes(path, LONGEST_BUNDLE)));
  if (bundle === undefined) {
    throw new CommandError(`Cannot read ${path}: it is damaged, or no profile; take another copy`);
  }
  const beside = await besidePiv(session, bundle) ?? await besideOpenPgp(session, bundle);
  if (beside !== undefined) return beside;
  throw new CommandError(`Cannot use ${path}: it is for another card; insert that one`);
}

/** Opens the profile for a change, as `openForChange` does that of a card. */
export async function openBesideForChange(
  beside: Beside,
  { issuer, key, now }: { issuer: IssuerSigner; key: Key; now: number },
): Promise<OpenedProfile> {
  const { cardId, sealed } = beside;
  const issuerKeys = [issuer.publicKey];
  const checked = await checkHead(beside.head, { issuerKeys, cardId, now, highestGeneration: 0 });
  if (checked.result === "fault") throw profileFault(checked.fault);
  const { head } = checked;
  notePasskeys(sealed, head);
  const secrets = SecretMemory.allocate(64);
  try {
    const identity = await identityOf(beside, { head, key });
    const opened = await openProfile({ sealed, head, identity, issuerKeys, secrets });
    if (opened.result === "fault") throw profileFault(opened.fault);
    return asOpened(opened, { head, secrets });
  } catch (error) {
    secrets.free();
    throw error;
  }
}

/** Signs and seals what was changed to all its recipients, into a new file; the card is not written. */
export async function writeBesideChange(
  former: OpenedProfile,
  change: Change,
): Promise<Summary> {
  const { given, issuer, recipients, privateKey, presharedKey, files } = change;
  const bundle = given.text("bundle-out");
  if (bundle === undefined) {
    throw new UsageError("Cannot write the profile: it lies in a file; give --bundle-out FILE");
  }
  if (former.head.split !== undefined) {
    throw new CommandError("Cannot change the profile: it is split; issue it anew");
  }
  for (const path of [bundle, files.peer, files.psk]) mustBeNew(path);
  const profile = nextProfile(former, change);
  const cards = cardsOf(recipients);
  const first = cards.find(({ cardId }) => cardId === profile.cardId);
  // An OpenPGP card's own way in is the recipient that the station named after it.
  const isOpenable = first !== undefined || recipients.some(({ name }) => name === OWN_NAME);
  if (!isOpenable) {
    throw new CommandError(
      "Cannot write the profile: its own card is not among its recipients; revoke it with " +
        "token revoke",
    );
  }
  const sealed = await sealProfile({
    profile,
    ...(privateKey === undefined ? {} : { privateKey }),
    ...(presharedKey === undefined ? {} : { presharedKey }),
  }, {
    issuer,
    ...(first === undefined ? {} : { sealedTo: { slot: first.slot, publicKey: first.publicKey } }),
    otherCards: cards.filter((one) => one !== first),
    recovery: recipients.flatMap((one) => "recipient" in one ? [one.recipient] : []),
  });
  const staged = await stage([
    ...change.outputs ?? [],
    ...outputsOf({ sealed, files: { ...files, bundle }, split: undefined }),
    ...await hubOutputs(profile, { keys: { presharedKey }, files }),
  ]);
  await staged.commit();
  sayBeside(bundle, "that is where it was");
  return summarize(profile, {
    issuer: issuer.publicKey,
    hub: undefined,
    files: { bundle, ...files, psk: presharedKey === undefined ? undefined : files.psk },
  });
}

/** How a station names the card that it issues a profile to. */
const OWN_NAME = "card";

async function besidePiv(session: CardSession, bundle: Bundle): Promise<Beside | undefined> {
  const card = await openPiv(session).catch((error) => {
    // A card without a name is nobody's: it may have another application.
    if (error instanceof CommandError) return undefined;
    throw error;
  });
  const head = card && headFor(bundle, card.id);
  if (card === undefined || head === undefined) return undefined;
  return {
    cardId: card.id,
    head,
    sealed: bundle.sealed,
    verifyPin: (pin) => card.piv.verifyPin(pin),
    identity: (checked) => cardIdentity(card.piv, checked),
  };
}

async function besideOpenPgp(session: CardSession, bundle: Bundle): Promise<Beside | undefined> {
  const card = await openOpenPgp(session);
  const cardId = await card.cardId();
  const head = headFor(bundle, cardId);
  const publicKey = head && await card.decryptionKey();
  if (head === undefined || publicKey === undefined) return undefined;
  return {
    cardId,
    head,
    sealed: bundle.sealed,
    verifyPin: (pin) => card.verifyPin(pin),
    identity: () => openPgpIdentity(touchedOpenPgp(card, sayTouch), publicKey),
  };
}

async function identityOf(beside: Beside, { head, key }: { head: ProfileHead; key: Key }) {
  const { pin, identityFile } = key;
  if (identityFile !== undefined) return await identityInFile(identityFile, key);
  if (pin === undefined) throw new Error("One question has one answer");
  const fault = pinFault("PIN", await beside.verifyPin(pin));
  pin.fill(0);
  if (fault !== undefined) throw fault;
  return beside.identity(head);
}
