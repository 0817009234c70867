/** Public keys as cards write them, as certificates write them, and to check signatures with. */
import { createPublicKey, type KeyObject } from "node:crypto";
import { concat, encodeTlv, parseTlvs, readTlv } from "../apdu/tlv.ts";
import { PIV_ALGORITHM, type PivAlgorithm, TLV_TAG } from "./constants.ts";

/** A public key with its algorithm, in the card's form: see `PivClient.generateKey`. */
export interface CardPublicKey {
  readonly algorithm: PivAlgorithm;
  readonly publicKey: Uint8Array;
}

/** An RSA key's numbers, big-endian, without leading zeros. */
export interface RsaNumbers {
  readonly modulus: Uint8Array;
  readonly exponent: Uint8Array;
}

/** The numbers in the members of an RSA key's template; `undefined` when they are no key's. */
export function rsaNumbers(members: Uint8Array): RsaNumbers | undefined {
  const list = parseTlvs(members);
  const value = (tag: number) => list?.find((one) => one.tag === tag)?.value;
  const modulus = withoutZeros(value(TLV_TAG.rsaModulus));
  const exponent = withoutZeros(value(TLV_TAG.rsaExponent));
  const isKey = modulus !== undefined && exponent !== undefined && modulus.length >= 128 &&
    modulus.length <= 512 && exponent.length >= 1 && exponent.length <= 8;
  return isKey ? { modulus, exponent } : undefined;
}

/**
 * The key of a SubjectPublicKeyInfo (RFC 5280 section 4.1; RFC 5480, 8410 and 3279 for the
 * algorithms). `undefined` for algorithms that no PIV card of ours has and for malformed ones.
 */
export function publicKeyOfSpki(spki: Uint8Array): CardPublicKey | undefined {
  const [identifier, bits] = members(spki, DER.sequence) ?? [];
  if (identifier?.tag !== DER.sequence || bits?.tag !== DER.bitString) return undefined;
  // The first byte counts unused bits: a key is whole bytes.
  if (bits.value[0] !== 0) return undefined;
  const [oid, parameter] = parseTlvs(identifier.value) ?? [];
  if (oid?.tag !== DER.oid) return undefined;
  const key = bits.value.slice(1);
  switch (oid.value.toHex()) {
    case OID.ecPublicKey:
      return parameter?.tag === DER.oid && parameter.value.toHex() === OID.p256 &&
          key.length === 65 && key[0] === 4
        ? { algorithm: PIV_ALGORITHM.eccP256, publicKey: key }
        : undefined;
    case OID.ed25519:
      return key.length === 32 ? { algorithm: PIV_ALGORITHM.ed25519, publicKey: key } : undefined;
    case OID.x25519:
      return key.length === 32 ? { algorithm: PIV_ALGORITHM.x25519, publicKey: key } : undefined;
    case OID.rsa:
      return rsaKey(key);
    default:
      return undefined;
  }
}

/** Whether two keys are the same one, whatever zeros their numbers are written with. */
export function isSameKey(one: CardPublicKey, other: CardPublicKey): boolean {
  if (one.algorithm !== other.algorithm) return false;
  if (!isRsa(one.algorithm)) return equal(one.publicKey, other.publicKey);
  const [a, b] = [rsaNumbers(one.publicKey), rsaNumbers(other.publicKey)];
  return a !== undefined && b !== undefined && equal(a.modulus, b.modulus) &&
    equal(a.exponent, b.exponent);
}

/** For checking signatures; `undefined` for X25519 and for what is no key. */
export function verifyingKey({ algorithm, publicKey }: CardPublicKey): KeyObject | undefined {
  const text = (bytes: Uint8Array) => bytes.toBase64({ alphabet: "base64url", omitPadding: true });
  try {
    switch (algorithm) {
      case PIV_ALGORITHM.eccP256: {
        const [x, y] = [publicKey.subarray(1, 33), publicKey.subarray(33)];
        const key = { kty: "EC", crv: "P-256", x: text(x), y: text(y) };
        return publicKey.length === 65 ? createPublicKey({ key, format: "jwk" }) : undefined;
      }
      case PIV_ALGORITHM.ed25519: {
        const key = { kty: "OKP", crv: "Ed25519", x: text(publicKey) };
        return publicKey.length === 32 ? createPublicKey({ key, format: "jwk" }) : undefined;
      }
      case PIV_ALGORITHM.rsa1024:
      case PIV_ALGORITHM.rsa2048: {
        const numbers = rsaNumbers(publicKey);
        if (numbers === undefined) return undefined;
        const key = { kty: "RSA", n: text(numbers.modulus), e: text(numbers.exponent) };
        return createPublicKey({ key, format: "jwk" });
      }
      default:
        return undefined;
    }
  } catch {
    // A point that is not on its curve.
    return undefined;
  }
}

/** Tags of DER (ITU-T X.690). */
const DER = { integer: 0x02, bitString: 0x03, oid: 0x06, sequence: 0x30 } as const;

/** Object identifiers without tag and length, in hexadecimal. */
const OID = {
  ecPublicKey: "2a8648ce3d0201",
  p256: "2a8648ce3d030107",
  ed25519: "2b6570",
  x25519: "2b656e",
  rsa: "2a864886f70d010101",
} as const;

function rsaKey(der: Uint8Array): CardPublicKey | undefined {
  const [modulus, exponent, ...more] = members(der, DER.sequence) ?? [];
  if (modulus?.tag !== DER.integer || exponent?.tag !== DER.integer || more.length > 0) {
    return undefined;
  }
  const publicKey = rsaMembers(modulus.value, exponent.value);
  const bytes = rsaNumbers(publicKey)?.modulus.length;
  if (bytes === 256) return { algorithm: PIV_ALGORITHM.rsa2048, publicKey };
  return bytes === 128 ? { algorithm: PIV_ALGORITHM.rsa1024, publicKey } : undefined;
}

function rsaMembers(modulus: Uint8Array, exponent: Uint8Array): Uint8Array {
  const [n, e] = [withoutZeros(modulus), withoutZeros(exponent)];
  return concat(
    encodeTlv(TLV_TAG.rsaModulus, n ?? new Uint8Array(0)),
    encodeTlv(TLV_TAG.rsaExponent, e ?? new Uint8Array(0)),
  );
}

function members(der: Uint8Array, tag: number) {
  const outer = readTlv(der, 0);
  return outer?.tag === tag && outer.end === der.length ? parseTlvs(outer.value) : undefined;
}

function isRsa(algorithm: PivAlgorithm): boolean {
  return algorithm === PIV_ALGORITHM.rsa1024 || algorithm === PIV_ALGORITHM.rsa2048;
}

function withoutZeros(bytes: Uint8Array | undefined): Uint8Array | undefined {
  const first = bytes?.findIndex((byte) => byte !== 0) ?? -1;
  return first < 0 ? undefined : bytes?.slice(first);
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
