import { equalBytes } from "../../constant_time.ts";
import { concat } from "../../apdu/tlv.ts";
import { PIV_ALGORITHM, type PivAlgorithm } from "../../piv/constants.ts";
import type { KeyName } from "./state.ts";

/** Object identifiers of curves, as attributes have them: RFC 6637 section 11, RFC 9580 section 9.2. */
const OID = {
  p256: [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07],
  ed25519: [0x2b, 0x06, 0x01, 0x04, 0x01, 0xda, 0x47, 0x0f, 0x01],
  curve25519: [0x2b, 0x06, 0x01, 0x04, 0x01, 0x97, 0x55, 0x01, 0x05, 0x01],
} as const;

/** RSA with 2,048 bits, an exponent of 17 bits, imported by its primes. */
const RSA_2048 = Uint8Array.of(0x01, 0x08, 0x00, 0x00, 0x11, 0x00);
const ECDH_P256 = Uint8Array.of(0x12, ...OID.p256);
const ECDSA_P256 = Uint8Array.of(0x13, ...OID.p256);
/** The attributes of a new card's keys. */
export const ED25519_ATTRIBUTES: Uint8Array = Uint8Array.of(0x16, ...OID.ed25519);
/** X25519, which OpenPGP calls Curve25519. */
export const X25519_ATTRIBUTES: Uint8Array = Uint8Array.of(0x12, ...OID.curve25519);

const SIGNING: readonly (readonly [Uint8Array, PivAlgorithm])[] = [
  [ED25519_ATTRIBUTES, PIV_ALGORITHM.ed25519],
  [ECDSA_P256, PIV_ALGORITHM.eccP256],
  [RSA_2048, PIV_ALGORITHM.rsa2048],
];
const DECIPHERING: readonly (readonly [Uint8Array, PivAlgorithm])[] = [
  [X25519_ATTRIBUTES, PIV_ALGORITHM.x25519],
  [ECDH_P256, PIV_ALGORITHM.eccP256],
  [RSA_2048, PIV_ALGORITHM.rsa2048],
];

/** What a key place can hold, in the order of preference. */
export function algorithmsFor(name: KeyName): readonly (readonly [Uint8Array, PivAlgorithm])[] {
  return name === "decipher" ? DECIPHERING : SIGNING;
}

/**
 * The algorithm of attributes; `undefined` when this card doesn't have it there. FF at the end
 * says that a public key comes along at import; RSA's import format is not looked at.
 */
export function algorithmOf(name: KeyName, attributes: Uint8Array): PivAlgorithm | undefined {
  const found = algorithmsFor(name).find(([known]) =>
    equalBytes(known, attributes) || equalBytes(concat(known, Uint8Array.of(0xff)), attributes) ||
    (known === RSA_2048 && attributes.length === 6 &&
      equalBytes(known.subarray(0, 3), attributes.subarray(0, 3)))
  );
  return found?.[1];
}
