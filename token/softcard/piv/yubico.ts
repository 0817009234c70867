import { SW } from "../../apdu/status.ts";
import { concat, encodeTlv } from "../../apdu/tlv.ts";
import {
  KEY_ORIGIN,
  KEY_REFERENCE,
  METADATA_TAG,
  OBJECT_TAG,
  TOUCH_POLICY,
} from "../../piv/constants.ts";
import { status, success } from "../application.ts";
import { DEFAULT_PIN, DEFAULT_PUK, factoryPiv } from "../factory.ts";
import { attest, type Attester } from "../attestation.ts";
import type { BlockAlgorithm } from "../crypto.ts";
import type { PivState } from "../state.ts";
import { wrapMasterKey } from "../vault.ts";
import type { PivCommand } from "./context.ts";
import { BLOCK_CIPHERS } from "./management.ts";
import { pinBlock } from "./pin_format.ts";
import { referenceName } from "./pins.ts";

/**
 * What GET VERSION answers: the interface that this card speaks is that of firmware 5.7, the first
 * with Ed25519 and X25519.
 */
export const FIRMWARE_VERSION: Uint8Array = Uint8Array.of(5, 7, 0);

/** Most tries that 63Cx can tell. */
const MOST_TRIES = 15;

/** GET VERSION. */
export const getVersion: PivCommand = (_context, apdu) => {
  if (apdu.p1 !== 0 || apdu.p2 !== 0) return status(SW.INCORRECT_P1P2);
  return success(FIRMWARE_VERSION);
};

/** GET SERIAL: four bytes, the highest first. */
export const getSerial: PivCommand = (context, apdu) => {
  if (apdu.p1 !== 0 || apdu.p2 !== 0) return status(SW.INCORRECT_P1P2);
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, context.memory.state.serial);
  return success(bytes);
};

/** GET METADATA of a PIN, of the management key or of a key slot (P2). */
export const getMetadata: PivCommand = (context, apdu) => {
  if (apdu.p1 !== 0) return status(SW.INCORRECT_P1P2);
  const { piv } = context.memory.state;
  const item = (tag: number, ...bytes: number[]) => encodeTlv(tag, Uint8Array.from(bytes));
  if (apdu.p2 === KEY_REFERENCE.management) {
    return success(concat(
      item(METADATA_TAG.algorithm, BLOCK_CIPHERS[piv.management.algorithm].id),
      item(METADATA_TAG.policy, 0, TOUCH_POLICY.never),
      item(METADATA_TAG.isDefault, piv.management.isDefault ? 1 : 0),
    ));
  }
  const name = referenceName(apdu.p2);
  const reference = name && piv[name];
  if (reference !== undefined) {
    return success(concat(
      item(METADATA_TAG.algorithm, 0xff),
      item(METADATA_TAG.isDefault, reference.isDefault ? 1 : 0),
      item(METADATA_TAG.retries, reference.tries, reference.triesLeft),
    ));
  }
  const key = piv.keys.get(apdu.p2);
  if (key === undefined) return status(SW.REFERENCE_NOT_FOUND);
  return success(concat(
    item(METADATA_TAG.algorithm, key.algorithm),
    item(METADATA_TAG.policy, key.pinPolicy, TOUCH_POLICY.never),
    item(METADATA_TAG.origin, KEY_ORIGIN[key.origin]),
    encodeTlv(METADATA_TAG.publicKey, key.publicKey),
  ));
};

/** ATTEST: a certificate about the key in slot P1, only when it was made in this card. */
export const attestKey: PivCommand = (context, apdu) => {
  const { piv, serial } = context.memory.state;
  const slot = apdu.p1;
  const key = piv.keys.get(slot);
  const attester = attesterOf(piv);
  if (apdu.p2 !== 0 || slot === KEY_REFERENCE.attestation) return status(SW.INCORRECT_P1P2);
  if (key === undefined || attester === undefined) return status(SW.REFERENCE_NOT_FOUND);
  if (key.origin !== "generated") return status(SW.INCORRECT_DATA);
  const subject = { slot, key, serial, firmware: FIRMWARE_VERSION };
  const certificate = attest(context.crypto, attester, subject);
  return certificate === undefined ? status(SW.CONDITIONS_NOT_SATISFIED) : success(certificate);
};

/** SET MANAGEMENT KEY: algorithm, 9B, length, key. P2 = FF: without touch, the only way here. */
export const setManagementKey: PivCommand = function* (context, apdu) {
  if (!context.session.isAdministrator) return status(SW.SECURITY_STATUS_NOT_SATISFIED);
  if (apdu.p1 !== 0xff || apdu.p2 !== 0xff) return status(SW.INCORRECT_P1P2);
  const [id, reference, length] = apdu.data;
  const bytes = apdu.data.slice(3);
  const algorithm = blockAlgorithm(id);
  if (algorithm === undefined || reference !== KEY_REFERENCE.management) {
    return status(SW.INCORRECT_DATA);
  }
  if (length !== bytes.length || bytes.length !== BLOCK_CIPHERS[algorithm].keyLength) {
    return status(SW.WRONG_LENGTH);
  }
  const management = { algorithm, isDefault: false, bytes };
  return status((yield* context.memory.savePiv({ management })) ? SW.OK : SW.MEMORY_FAILURE);
};

/** SET PIN RETRIES: P1 for the PIN, P2 for the PUK; both go back to the factory's. */
export const setPinRetries: PivCommand = function* (context, apdu) {
  const { memory, session, crypto } = context;
  const { masterKey } = session;
  if (!session.isAdministrator || masterKey === undefined) {
    return status(SW.SECURITY_STATUS_NOT_SATISFIED);
  }
  const inRange = (tries: number) => tries >= 1 && tries <= MOST_TRIES;
  if (!inRange(apdu.p1) || !inRange(apdu.p2)) return status(SW.INCORRECT_P1P2);
  const wrap = (text: string, tries: number, cost = memory.state.piv.pin.cost) =>
    wrapMasterKey(masterKey, {
      crypto,
      secret: pinBlock(text) ?? new Uint8Array(8),
      tries,
      isDefault: true,
      cost,
    });
  const change = { pin: wrap(DEFAULT_PIN, apdu.p1), puk: wrap(DEFAULT_PUK, apdu.p2) };
  return status((yield* memory.savePiv(change)) ? SW.OK : SW.MEMORY_FAILURE);
};

/** RESET to the factory's state: only when PIN and PUK are both blocked. */
export const reset: PivCommand = function* (context, apdu) {
  const { memory, session, crypto } = context;
  if (apdu.p1 !== 0 || apdu.p2 !== 0) return status(SW.INCORRECT_P1P2);
  const { piv } = memory.state;
  if (piv.pin.triesLeft > 0 || piv.puk.triesLeft > 0) {
    return status(SW.CONDITIONS_NOT_SATISFIED);
  }
  session.clear();
  const attester = attesterOf(piv);
  const fresh = factoryPiv({
    ...(attester === undefined ? {} : { attester }),
    crypto,
    pin: DEFAULT_PIN,
    puk: DEFAULT_PUK,
    cost: piv.pin.cost,
    management: factoryManagement(piv.management.algorithm),
  });
  const saved = yield* memory.save({ ...memory.state, piv: fresh });
  return status(saved ? SW.OK : SW.MEMORY_FAILURE);
};

function attesterOf(piv: PivState): Attester | undefined {
  const key = piv.keys.get(KEY_REFERENCE.attestation);
  const object = piv.objects.get(OBJECT_TAG.yubicoAttestationCertificate)?.bytes;
  return key && object && { key, object };
}

function blockAlgorithm(id: number | undefined): BlockAlgorithm | undefined {
  const names: readonly BlockAlgorithm[] = ["3DES", "AES-128", "AES-192", "AES-256"];
  return names.find((name) => BLOCK_CIPHERS[name].id === id);
}

/** A card keeps to the algorithm that it was made with, where the factory's key fits it. */
function factoryManagement(algorithm: BlockAlgorithm): "3DES" | "AES-192" {
  return algorithm === "AES-192" ? "AES-192" : "3DES";
}
