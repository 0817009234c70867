/** A profile for a PIV card: sealed to its key, carried on it or, without room, beside it. */
import { PIV_ALGORITHM } from "../piv/constants.ts";
import { readHead, writeProfileToCard } from "../profile/carrier.ts";
import { checkHead } from "../profile/head.ts";
import type { IssuerSigner } from "../profile/jws.ts";
import { cardRecipient } from "../profile/recipients.ts";
import { type SealedProfile, sealProfile } from "../profile/seal.ts";
import type { ProfileHead } from "../profile/types.ts";
import type { OpenedCard } from "./card.ts";
import { beAdministrator, onCardKey, readSlot, sealingKey } from "./card_keys.ts";
import { claimOf, proveKeys } from "./claimed_keys.ts";
import { draftProfile, NOBODYS_IDENTITY } from "./draft.ts";
import { UsageError } from "./errors.ts";
import type { Given } from "./options.ts";
import { type Output, stage, writeWith } from "./outputs.ts";
import { backupPassword } from "./password_file.ts";
import { hubOutputs, outputsOf, type ProfileFiles } from "./profile_files.ts";
import { noRoom, sayBeside, whyNoRoom } from "./room.ts";
import { proofKeyOf, splitOptions } from "./split_flags.ts";
import { summarize, type Summary } from "./summary.ts";
import type { Station, Writing } from "./writing.ts";

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
