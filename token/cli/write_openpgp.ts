/** A profile for an OpenPGP card: sealed to its decryption key, carried beside it in a file. */
import { randomBytes } from "node:crypto";
import { x25519 } from "@noble/curves/ed25519.js";
import { ageRecipient } from "../openpgp/age_card.ts";
import { type OpenPgpClient, selectOpenPgp } from "../openpgp/client.ts";
import { KEY_OBJECT } from "../openpgp/card_identity.ts";
import { PASSWORD } from "../openpgp/constants.ts";
import { isWrappedKey, wrapKey } from "../openpgp/wrapped_key.ts";
import type { CardSession } from "../pcsc/types.ts";
import { sealProfile } from "../profile/seal.ts";
import { pinFault } from "./card.ts";
import { proveDecryptionKey } from "./claimed_keys.ts";
import { draftProfile } from "./draft.ts";
import { CommandError, UsageError } from "./errors.ts";
import { stage } from "./outputs.ts";
import type { Given } from "./options.ts";
import { noRoom, sayBeside } from "./room.ts";
import { summarize, type Summary } from "./summary.ts";
import { backupPassword, readPasswordFile } from "./password_file.ts";
import { hubOutputs, outputsOf, type ProfileFiles } from "./profile_files.ts";
import type { Station, Writing } from "./writing.ts";

const NO_ROOM = "an OpenPGP card has no room for one";

/** The card's OpenPGP application. */
export async function openOpenPgp(session: CardSession): Promise<OpenPgpClient> {
  const card = await selectOpenPgp(session);
  if (card !== undefined) return card;
  throw new CommandError(
    `Cannot use the card in ${session.reader}: it is neither a PIV nor an OpenPGP card; ` +
      "insert one",
  );
}

/** Seals one profile to one card and writes the files, all or none. */
export async function writeForOpenPgp(
  card: OpenPgpClient,
  request: Writing & { given: Given; station: Station; files: ProfileFiles },
): Promise<Summary> {
  const { given, fields, keys, now, station, files, pin } = request;
  const { issuer, asked, split } = station;
  const { identity, presharedKey } = keys;
  if (identity.kind === "on-card") {
    throw new CommandError(
      "Cannot make the client's key on the card: OpenPGP cards do no handshakes; leave " +
        "--identity on-card away, or take a PIV card with X25519",
    );
  }
  if (split !== undefined) {
    throw new CommandError(
      "Cannot split the profile: an OpenPGP card has no key that answers a hub; leave " +
        "--share-hub away, or take a PIV card",
    );
  }
  const { bundle } = files;
  if (bundle === undefined) throw noRoom(NO_ROOM);
  const cardId = await card.cardId();
  const context = { cardId, now, hasPresharedKey: presharedKey !== undefined };
  const sealedIdentity = { kind: "sealed", publicKey: identity.publicKey } as const;
  const { recipients } = asked;
  // Checked before the card is touched.
  draftProfile(fields, { ...context, identity: sealedIdentity, recipients });
  const password = await backupPassword(given);
  const publicKey = await decryptionKey(card, given);
  await proveDecryptionKey(card, publicKey, pin);
  const object = given.flag("key-object")
    ? await keyObject(card, { publicKey, isVerified: pin !== undefined })
    : undefined;
  const recipient = object?.recipient ?? ageRecipient(publicKey);
  const profile = draftProfile(fields, {
    ...context,
    identity: sealedIdentity,
    recipients: [{ kind: "x25519", name: "card", recipient }, ...recipients],
  });
  const sealed = await sealProfile({
    profile,
    privateKey: identity.privateKey,
    ...(presharedKey === undefined ? {} : { presharedKey }),
  }, {
    issuer,
    recovery: [
      recipient,
      ...recipients.flatMap((one) => "recipient" in one ? [one.recipient] : []),
    ],
    ...(password === undefined ? {} : { password }),
  });
  password?.fill(0);
  const staged = await stage([
    ...asked.outputs,
    ...outputsOf({ sealed, files, split: undefined }),
    ...await hubOutputs(profile, { keys, files }),
  ]);
  try {
    // Last: from then on the profile of before no longer opens.
    await object?.write();
  } catch (error) {
    await staged.discard();
    throw error;
  }
  await staged.commit();
  sayBeside(bundle, NO_ROOM);
  return summarize(profile, {
    issuer: issuer.publicKey,
    hub: undefined,
    files: {
      ...files,
      psk: presharedKey === undefined ? undefined : files.psk,
      recovery: asked.outputs[0]?.path,
    },
  });
}

/**
 * A new key for the card's private object, wrapped to its decryption key. PW1 must be verified, also
 * when it is written.
 */
async function keyObject(
  card: OpenPgpClient,
  { publicKey, isVerified }: { publicKey: Uint8Array; isVerified: boolean },
): Promise<{ recipient: string; write: () => Promise<void> }> {
  if (!isVerified) {
    throw new UsageError("Cannot write the card's private object: give its PIN (--ask-pin)");
  }
  const former = await card.privateObject(KEY_OBJECT);
  if (former !== undefined && !isWrappedKey(former)) {
    throw new CommandError(
      "Cannot write the card's private object: another program's data is in object 3; move " +
        "that, or leave --key-object away",
    );
  }
  const key = new Uint8Array(randomBytes(32));
  const ephemeral = new Uint8Array(randomBytes(32));
  const recipient = ageRecipient(x25519.getPublicKey(key));
  const wrapped = wrapKey(key, { recipient: publicKey, ephemeral });
  key.fill(0);
  return { recipient, write: () => card.putData(KEY_OBJECT, wrapped) };
}

/** The one that is there; people's mail may hang on it, so a new one is made only when asked for. */
async function decryptionKey(card: OpenPgpClient, given: Given): Promise<Uint8Array> {
  if (given.flag("new-seal-key")) return await newKey(card, given);
  const { decryption } = await card.applicationData();
  const isX25519 = decryption.kind === "ecdh" && decryption.curve === "x25519";
  const key = isX25519 ? await card.decryptionKey() : undefined;
  if (key !== undefined) return key;
  throw new CommandError(
    "Cannot seal to the card: it has no X25519 decryption key; give --new-seal-key and " +
      "--admin-pin-file FILE to make one, over any decryption key that is there",
  );
}

async function newKey(card: OpenPgpClient, given: Given): Promise<Uint8Array> {
  const path = given.text("admin-pin-file");
  if (path === undefined) {
    throw new UsageError(
      "Cannot make a decryption key: the card asks for its administrator's PIN; give " +
        "--admin-pin-file FILE",
    );
  }
  const pin = await readPasswordFile(path);
  const fault = pinFault("PIN", await card.verifyPin(pin, PASSWORD.administrator));
  pin.fill(0);
  if (fault !== undefined) throw new CommandError(`${fault.message} (the administrator's)`);
  return await card.generateDecryptionKey();
}
