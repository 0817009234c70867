import type { PivAlgorithm } from "../piv/constants.ts";

/** Block ciphers of a management key. */
export type BlockAlgorithm = "3DES" | "AES-128" | "AES-192" | "AES-256";

/** What scrypt costs: RFC 7914 section 2. */
export interface KdfCost {
  readonly N: number;
  readonly r: number;
  readonly p: number;
}

/** A new or imported asymmetric key. */
export interface KeyPair {
  /** P-256: the scalar; Ed25519 and X25519: 32 bytes; RSA: PKCS #8 in DER. */
  readonly secret: Uint8Array;
  /** The members of the public key template 7F49, encoded (SP 800-73-4 part 2, table 11). */
  readonly publicKey: Uint8Array;
}

/** Private parts as IMPORT KEY brings them. */
export type ImportedParts =
  | { readonly kind: "scalar"; readonly bytes: Uint8Array }
  | { readonly kind: "rsa"; readonly p: Uint8Array; readonly q: Uint8Array };

/**
 * Everything that the card's core takes from outside: randomness and operations with keys. All of
 * it is synchronous, and answers `undefined` where the input (not the caller) is at fault.
 */
export interface CardCrypto {
  randomBytes(length: number): Uint8Array;
  /** scrypt to 32 bytes. */
  deriveKey(secret: Uint8Array, salt: Uint8Array, cost: KdfCost): Uint8Array;
  /** Encrypts or decrypts exactly one block, without chaining or padding. */
  block(
    direction: "encrypt" | "decrypt",
    key: { algorithm: BlockAlgorithm; bytes: Uint8Array },
    input: Uint8Array,
  ): Uint8Array;
  /** Makes a key pair; `undefined` when this card has no such algorithm. */
  generateKey(algorithm: PivAlgorithm): KeyPair | undefined;
  /** Completes an imported key; `undefined` when the parts are not a key of that algorithm. */
  importKey(algorithm: PivAlgorithm, parts: ImportedParts): KeyPair | undefined;
  /**
   * The private operation on a challenge. P-256: ECDSA over a hash of 1 to 64 bytes (cut to 32),
   * DER. Ed25519: over the message. RSA-2048: the raw operation on 256 bytes, which both signs and
   * deciphers. `undefined` for algorithms that don't sign and for wrong lengths.
   */
  sign(algorithm: PivAlgorithm, secret: Uint8Array, challenge: Uint8Array): Uint8Array | undefined;
  /**
   * Diffie-Hellman. P-256: peer is 04 X Y, result X. X25519: 32 bytes each. `undefined` for a peer
   * that is no point of the curve and for an all-zero result (RFC 7748 section 6.1).
   */
  agree(algorithm: PivAlgorithm, secret: Uint8Array, peer: Uint8Array): Uint8Array | undefined;
}
