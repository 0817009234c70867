/** Application related data (6E): what an OpenPGP card says of itself. Section 4.4.1. @core */
import { parseTlvs, readTlv, type Tlv } from "../apdu/tlv.ts";
import {
  AID_BYTES,
  type Curve,
  CURVES,
  KEY_ALGORITHM,
  OPENPGP_AID,
  OPENPGP_DO,
} from "./constants.ts";

/** Who a card is. Section 4.2.1. */
export interface OpenPgpId {
  /** Version of the specification as "3.4". */
  readonly version: string;
  /** Manufacturer's number and serial number, in hexadecimal as GnuPG prints them. */
  readonly manufacturer: string;
  readonly serial: string;
}

/** A key's algorithm. Section 4.4.3.9. */
export type KeyAttributes =
  | { readonly kind: "rsa"; readonly bits: number }
  | { readonly kind: "ecdh" | "ecdsa" | "eddsa"; readonly curve: Curve | undefined }
  | { readonly kind: "unknown" };

/** Tries and lengths of the passwords. Section 4.4.3.11 (C4). */
export interface PasswordStatus {
  /** Whether PW1 (81) stays verified for several signatures. */
  readonly signsSeveral: boolean;
  readonly longestUserPin: number;
  readonly triesLeft: {
    readonly user: number;
    readonly resetCode: number;
    readonly administrator: number;
  };
}

/** Section 4.4.3.7 (C0). */
export interface ExtendedCapabilities {
  readonly keyImport: boolean;
  readonly algorithmsChangeable: boolean;
  readonly privateObjects: boolean;
  /** Whether PINs go to the card derived (section 4.3.2). */
  readonly keyDerivation: boolean;
  /** Longest private object in bytes. */
  readonly longestPrivateObject: number;
}

/** Everything of 6E that is used. */
export interface ApplicationData {
  readonly id: OpenPgpId;
  readonly capabilities: ExtendedCapabilities;
  readonly passwords: PasswordStatus;
  readonly signature: KeyAttributes;
  readonly decryption: KeyAttributes;
  readonly authentication: KeyAttributes;
  /** Whether there is a decryption key, told by DE, else by its fingerprint; `undefined`: not told. */
  readonly hasDecryptionKey: boolean | undefined;
}

/** Fingerprints of three keys, the decryption key's in the middle; all zero when there is none. */
const FINGERPRINT_BYTES = 20;
/** The decryption key's number in DE. */
const DECRYPTION_NUMBER = 2;

/** Reads the object with its tag; `undefined` when it is malformed or lacks what every card has. */
export function parseApplicationData(object: Uint8Array): ApplicationData | undefined {
  const outer = readTlv(object, 0);
  if (outer?.tag !== OPENPGP_DO.applicationRelated || outer.end !== object.length) return undefined;
  const members = parseTlvs(outer.value);
  const inner = valueOf(members, OPENPGP_DO.discretionary);
  // Cards of version 1 and 2 have no template around these.
  const details = inner === undefined ? members : parseTlvs(inner);
  const id = parseAid(valueOf(members, OPENPGP_DO.applicationId));
  const capabilities = parseCapabilities(valueOf(details, OPENPGP_DO.extendedCapabilities));
  const passwords = parsePasswordStatus(valueOf(details, OPENPGP_DO.passwordStatus));
  if (id === undefined || capabilities === undefined || passwords === undefined) return undefined;
  return {
    id,
    capabilities,
    passwords,
    signature: parseKeyAttributes(valueOf(details, OPENPGP_DO.signatureAlgorithm)),
    decryption: parseKeyAttributes(valueOf(details, OPENPGP_DO.decryptionAlgorithm)),
    authentication: parseKeyAttributes(valueOf(details, OPENPGP_DO.authenticationAlgorithm)),
    hasDecryptionKey: secondThere(valueOf(details, OPENPGP_DO.keyInformation)) ??
      secondPresent(valueOf(details, OPENPGP_DO.fingerprints)),
  };
}

/** Reads a full identifier; `undefined` when it is another application's. */
export function parseAid(aid: Uint8Array | undefined): OpenPgpId | undefined {
  if (aid?.length !== AID_BYTES) return undefined;
  if (OPENPGP_AID.some((byte, index) => aid[index] !== byte)) return undefined;
  const [major = 0, minor = 0] = aid.subarray(6, 8);
  return {
    version: `${major.toString(16)}.${minor.toString(16)}`,
    manufacturer: aid.subarray(8, 10).toHex(),
    serial: aid.subarray(10, 14).toHex(),
  };
}

/** Reads C4; `undefined` when it is malformed. */
export function parsePasswordStatus(value: Uint8Array | undefined): PasswordStatus | undefined {
  if (value?.length !== 7) return undefined;
  const [several = 0, longest = 0, , , user = 0, resetCode = 0, administrator = 0] = value;
  return {
    signsSeveral: several !== 0,
    // Bit 8 tells the format, not the length.
    longestUserPin: longest & 0x7f,
    triesLeft: { user, resetCode, administrator },
  };
}

/** Reads algorithm attributes. */
export function parseKeyAttributes(value: Uint8Array | undefined): KeyAttributes {
  const [first, ...rest] = value ?? [];
  switch (first) {
    case KEY_ALGORITHM.rsa: {
      const [high = 0, low = 0] = rest;
      return { kind: "rsa", bits: (high << 8) | low };
    }
    case KEY_ALGORITHM.ecdh:
      return { kind: "ecdh", curve: curveOf(rest) };
    case KEY_ALGORITHM.ecdsa:
      return { kind: "ecdsa", curve: curveOf(rest) };
    case KEY_ALGORITHM.eddsa:
      return { kind: "eddsa", curve: curveOf(rest) };
    default:
      return { kind: "unknown" };
  }
}

/** An import format (00 or FF) may follow the object identifier. */
function curveOf(rest: readonly number[]): Curve | undefined {
  const named = CURVES.get(Uint8Array.from(rest).toHex());
  const last = rest.at(-1);
  if (named !== undefined || (last !== 0x00 && last !== 0xff)) return named;
  return CURVES.get(Uint8Array.from(rest.slice(0, -1)).toHex());
}

/** Bits of the first byte of C0. */
const FEATURE = { keyImport: 0x20, privateObjects: 0x08, algorithms: 0x04, keyDerivation: 0x01 };

function parseCapabilities(value: Uint8Array | undefined): ExtendedCapabilities | undefined {
  // Ten bytes since version 2; bytes 7 and 8 are the longest private object since version 3.
  if (value?.length !== 10) return undefined;
  const [features = 0] = value;
  const longest = ((value[6] ?? 0) << 8) | (value[7] ?? 0);
  return {
    keyImport: (features & FEATURE.keyImport) !== 0,
    privateObjects: (features & FEATURE.privateObjects) !== 0,
    algorithmsChangeable: (features & FEATURE.algorithms) !== 0,
    keyDerivation: (features & FEATURE.keyDerivation) !== 0,
    longestPrivateObject: longest,
  };
}

/** Section 4.4.3.8: pairs of a key's number and where it comes from, 00 when it isn't there. */
function secondThere(value: Uint8Array | undefined): boolean | undefined {
  for (let at = 0; value !== undefined && at + 1 < value.length; at += 2) {
    if (value[at] === DECRYPTION_NUMBER) return value[at + 1] !== 0;
  }
  return undefined;
}

function secondPresent(value: Uint8Array | undefined): boolean | undefined {
  if (value?.length !== 3 * FINGERPRINT_BYTES) return undefined;
  return value.subarray(FINGERPRINT_BYTES, 2 * FINGERPRINT_BYTES).some((byte) => byte !== 0);
}

function valueOf(list: readonly Tlv[] | undefined, tag: number): Uint8Array | undefined {
  return list?.find((one) => one.tag === tag)?.value;
}
