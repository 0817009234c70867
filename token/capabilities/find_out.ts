/** Asks a card for what {@linkcode judge} needs; without a PIN, without changing anything. */
import { KEY_REFERENCE, OWN_OBJECT_RANGE, PIV_ALGORITHM } from "../piv/constants.ts";
import type { PivClient } from "../piv/client.ts";
import { PivRefusedError } from "../piv/client_types.ts";
import type { OpenPgpClient } from "../openpgp/client.ts";
import type { ObjectTrial, OpenPgpFacts, PivFacts } from "./types.ts";

/** Where on-card identities lie by default, and the slot beside it. */
const LIKELY_SLOTS = [KEY_REFERENCE.firstRetired, KEY_REFERENCE.keyManagement] as const;

/** Where a profile's two heads lie. */
const HEADS = [OWN_OBJECT_RANGE.first, OWN_OBJECT_RANGE.first + 1] as const;

/** The last tag of our range is kept for trials. */
const TRIAL_TAG = OWN_OBJECT_RANGE.last;

/** What a whole chunk of a profile takes, and smaller sizes that say more than "no". */
const TRIAL_BYTES = [3000, 2000, 1000, 500] as const;

/** Asks a PIV card. `trial`: what {@linkcode tryObjects} found, where that was allowed. */
export async function pivFacts(
  piv: Pick<PivClient, "template" | "version" | "metadata" | "getObject">,
  trial?: ObjectTrial,
): Promise<PivFacts> {
  const version = await piv.version();
  let x25519Slot: number | undefined;
  for (const slot of version === undefined ? [] : LIKELY_SLOTS) {
    const there = await piv.metadata(slot);
    if (there?.algorithm === PIV_ALGORITHM.x25519) x25519Slot ??= slot;
  }
  let hasProfile = false;
  for (const tag of HEADS) hasProfile ||= await piv.getObject(tag) !== undefined;
  return {
    application: "piv",
    version,
    algorithms: piv.template?.algorithms,
    x25519Slot,
    hasProfile,
    trial,
  };
}

/**
 * Writes an object of ours, reads it back and takes it away again. The management key must be
 * proven. `filling`: random bytes, 3,000 of them, so that no card answers from memory.
 */
export async function tryObjects(
  piv: Pick<PivClient, "getObject" | "putObject">,
  filling: Uint8Array,
): Promise<ObjectTrial> {
  let refused: number | undefined;
  for (const bytes of TRIAL_BYTES) {
    const value = filling.subarray(0, bytes);
    if (value.length !== bytes) {
      throw new RangeError(`Cannot try a card's objects with ${filling.length} bytes`);
    }
    try {
      await piv.putObject(TRIAL_TAG, value);
    } catch (error) {
      if (!(error instanceof PivRefusedError)) throw error;
      refused ??= error.sw;
      continue;
    }
    const found = await piv.getObject(TRIAL_TAG);
    await piv.putObject(TRIAL_TAG, new Uint8Array(0));
    const isSame = found?.length === bytes && found.every((byte, index) => byte === value[index]);
    if (!isSame) return { trial: "lost" };
    return bytes === TRIAL_BYTES[0] ? { trial: "written" } : { trial: "too-small", bytes };
  }
  return { trial: "refused", sw: refused ?? 0 };
}

/** Asks an OpenPGP card. */
export async function openPgpFacts(
  card: Pick<OpenPgpClient, "applicationData">,
): Promise<OpenPgpFacts> {
  const { capabilities, decryption, hasDecryptionKey } = await card.applicationData();
  const isX25519 = decryption.kind === "ecdh" && decryption.curve === "x25519";
  return {
    application: "openpgp",
    hasX25519: isX25519 && hasDecryptionKey !== false,
    algorithmsChangeable: isX25519 || capabilities.algorithmsChangeable,
    privateObjects: capabilities.privateObjects,
    longestPrivateObject: capabilities.longestPrivateObject,
  };
}
