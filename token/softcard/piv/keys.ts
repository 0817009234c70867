import { SW } from "../../apdu/status.ts";
import { encodeTlv, findTlv, parseTlvs } from "../../apdu/tlv.ts";
import {
  ASYMMETRIC_KEY_REFERENCES,
  IMPORT_TAG,
  KEY_REFERENCE,
  PIN_POLICY,
  PIV_ALGORITHM,
  type PivAlgorithm,
  TLV_TAG,
  TOUCH_POLICY,
} from "../../piv/constants.ts";
import { status, success } from "../application.ts";
import type { ImportedParts, KeyPair } from "../crypto.ts";
import type { CardScript } from "../memory.ts";
import type { StoredKey } from "../state.ts";
import { seal } from "../vault.ts";
import type { PivCommand, PivContext } from "./context.ts";

/** GENERATE ASYMMETRIC KEY PAIR: SP 800-73-4 part 2, section 3.3.2, with Yubico's policies. */
export const generateKeyPair: PivCommand = function* (context, apdu) {
  if (!context.session.isAdministrator) return status(SW.SECURITY_STATUS_NOT_SATISFIED);
  const slot = apdu.p2;
  if (apdu.p1 !== 0x00 || !isKeySlot(slot)) return status(SW.INCORRECT_P1P2);
  const control = findTlv(apdu.data, TLV_TAG.generateControl);
  const mechanism = control && findTlv(control, TLV_TAG.generateAlgorithm);
  const algorithm = mechanism?.length === 1 ? asAlgorithm(mechanism[0]) : undefined;
  if (control === undefined || algorithm === undefined) return status(SW.INCORRECT_DATA);
  const pinPolicy = policyOf(slot, control);
  if (pinPolicy === undefined) return status(SW.INCORRECT_DATA);
  const pair = context.crypto.generateKey(algorithm);
  if (pair === undefined) return status(SW.INCORRECT_DATA);
  const key = { slot, algorithm, pinPolicy, origin: "generated", pair } as const;
  if (!(yield* storeKey(context, key))) return status(SW.MEMORY_FAILURE);
  return success(encodeTlv(TLV_TAG.publicKeyTemplate, pair.publicKey));
};

/** IMPORT KEY, Yubico's. P1 algorithm, P2 slot, then the parts and policies. */
export const importKey: PivCommand = function* (context, apdu) {
  if (!context.session.isAdministrator) return status(SW.SECURITY_STATUS_NOT_SATISFIED);
  const slot = apdu.p2;
  const algorithm = asAlgorithm(apdu.p1);
  if (algorithm === undefined || !isKeySlot(slot)) return status(SW.INCORRECT_P1P2);
  const pinPolicy = policyOf(slot, apdu.data);
  const parts = importedParts(algorithm, apdu.data);
  if (pinPolicy === undefined || parts === undefined) return status(SW.INCORRECT_DATA);
  const pair = context.crypto.importKey(algorithm, parts);
  if (pair === undefined) return status(SW.INCORRECT_DATA);
  const key = { slot, algorithm, pinPolicy, origin: "imported", pair } as const;
  return status((yield* storeKey(context, key)) ? SW.OK : SW.MEMORY_FAILURE);
};

/** What a sealed key is bound to: it opens in its slot and with its policy only. */
export function keySealContext(
  slot: number,
  key: Pick<StoredKey, "algorithm" | "pinPolicy">,
): string {
  return `key ${slot} ${key.algorithm} ${key.pinPolicy}`;
}

function* storeKey(
  context: PivContext,
  key: {
    slot: number;
    algorithm: PivAlgorithm;
    pinPolicy: StoredKey["pinPolicy"];
    origin: StoredKey["origin"];
    pair: KeyPair;
  },
): CardScript<boolean> {
  const { memory, crypto } = context;
  const { slot, algorithm, pinPolicy, origin, pair } = key;
  const sealed = pinPolicy !== PIN_POLICY.never;
  const { vault } = memory.state.piv;
  const secret = sealed
    ? seal(pair.secret, { crypto, vault, context: keySealContext(slot, key) })
    : pair.secret.slice();
  const stored: StoredKey = {
    algorithm,
    pinPolicy,
    origin,
    publicKey: pair.publicKey,
    sealed,
    secret,
  };
  if (sealed) pair.secret.fill(0);
  return yield* memory.savePiv({ keys: new Map(memory.state.piv.keys).set(slot, stored) });
}

function isKeySlot(slot: number): boolean {
  return ASYMMETRIC_KEY_REFERENCES.includes(slot);
}

function asAlgorithm(id: number | undefined): PivAlgorithm | undefined {
  return Object.values(PIV_ALGORITHM).find((one) => one === id);
}

/** The PIN policy that a command asks for, or the slot's own. Touch can't be had from software. */
function policyOf(slot: number, data: Uint8Array): StoredKey["pinPolicy"] | undefined {
  const touch = findTlv(data, TLV_TAG.touchPolicy);
  if (touch !== undefined) {
    const isOff = touch.length === 1 &&
      (touch[0] === TOUCH_POLICY.default || touch[0] === TOUCH_POLICY.never);
    if (!isOff) return undefined;
  }
  const asked = findTlv(data, TLV_TAG.pinPolicy);
  if (asked === undefined) return defaultPolicy(slot);
  const value = asked.length === 1 ? asked[0] : undefined;
  switch (value) {
    case PIN_POLICY.default:
      return defaultPolicy(slot);
    case PIN_POLICY.never:
    case PIN_POLICY.once:
    case PIN_POLICY.always:
      return value;
    default:
      return undefined;
  }
}

function defaultPolicy(slot: number): StoredKey["pinPolicy"] {
  switch (slot) {
    case KEY_REFERENCE.signature:
      return PIN_POLICY.always;
    case KEY_REFERENCE.cardAuthentication:
    case KEY_REFERENCE.attestation:
      return PIN_POLICY.never;
    default:
      return PIN_POLICY.once;
  }
}

function importedParts(algorithm: PivAlgorithm, data: Uint8Array): ImportedParts | undefined {
  const list = parseTlvs(data);
  const part = (tag: number) => list?.find((one) => one.tag === tag)?.value;
  const scalar = (tag: number): ImportedParts | undefined => {
    const bytes = part(tag);
    return bytes && { kind: "scalar", bytes };
  };
  switch (algorithm) {
    case PIV_ALGORITHM.rsa2048: {
      const p = part(IMPORT_TAG.rsaP);
      const q = part(IMPORT_TAG.rsaQ);
      return p && q && { kind: "rsa", p, q };
    }
    case PIV_ALGORITHM.eccP256:
      return scalar(IMPORT_TAG.eccScalar);
    case PIV_ALGORITHM.ed25519:
      return scalar(IMPORT_TAG.ed25519);
    case PIV_ALGORITHM.x25519:
      return scalar(IMPORT_TAG.x25519);
    default:
      return undefined;
  }
}
