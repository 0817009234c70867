/** Which libraries do it: `+ipsec-mb` is Intel's multi-buffer library, for packets. */
export type CryptoName = "libcrypto+ipsec-mb" | "libcrypto+ipsec-mb-avx2" | "libcrypto" | "noble";

/**
 * What the protocol needs of cryptography. Keys are views of memory that the caller owns and wipes;
 * an implementation keeps no copy of a key beyond a call, but those that `PrivateKey` and
 * `TransportAead` name.
 */
export interface Crypto {
  readonly name: CryptoName;
  /** Makes an X25519 private key (32 bytes, need not be clamped; RFC 7748) ready for use. */
  privateKey(privateKey: Uint8Array): PrivateKey;
  /** X25519 public key of `privateKey`, which is used once. */
  publicKey(out: Uint8Array, privateKey: Uint8Array): void;
  /** X25519 with a key that is used once. See `PrivateKey.dh`. */
  dh(out: Uint8Array, privateKey: Uint8Array, publicKey: Uint8Array): boolean;
  /** BLAKE2s-256 of `a` and `b` joined. `out` may be `a`. RFC 7693. */
  hash(out: Uint8Array, a: Uint8Array, b: Uint8Array): void;
  /** Keyed BLAKE2s with 16 bytes of output. Its keys are no secrets of sessions: a copy of the last may stay. */
  mac(out: Uint8Array, key: Uint8Array, data: Uint8Array): void;
  /** HMAC-BLAKE2s-256. */
  hmac(out: Uint8Array, key: Uint8Array, data: Uint8Array): void;
  /** ChaCha20-Poly1305 (RFC 8439) with the nonce 0; `out` is 16 bytes longer than `plaintext`. */
  seal(out: Uint8Array, key: Uint8Array, plaintext: Uint8Array, ad: Uint8Array): void;
  open(out: Uint8Array, key: Uint8Array, sealed: Uint8Array, ad: Uint8Array): boolean;
  /** XChaCha20-Poly1305 with a nonce of 24 bytes, for cookies. */
  xseal(
    out: Uint8Array,
    parts: { key: Uint8Array; nonce: Uint8Array; plaintext: Uint8Array; ad: Uint8Array },
  ): void;
  xopen(
    out: Uint8Array,
    parts: { key: Uint8Array; nonce: Uint8Array; sealed: Uint8Array; ad: Uint8Array },
  ): boolean;
  /** Ready for packets that lie in `arena`. */
  transport(arena: Uint8Array<ArrayBuffer>): TransportAead;
  /** Releases and wipes what is held. */
  close(): void;
}

/**
 * A private key in use. It may be a copy, locked and left out of dumps, or the caller's own bytes,
 * which must stay until `release`.
 */
export interface PrivateKey {
  publicKey(out: Uint8Array): void;
  /** X25519. False (and `out` unspecified) for a point of low order, whose result is all zero. */
  dh(out: Uint8Array, publicKey: Uint8Array): boolean;
  /** Wipes any copy. The key must not be used after that. */
  release(): void;
}

/** ChaCha20-Poly1305 in place, without additional data, on packets in one arena. Allocates nothing. */
export interface TransportAead {
  /** Encrypts `length` bytes at `offset` (a multiple of 16) and writes the tag behind them. */
  seal(key: Uint8Array, counter: number, offset: number, length: number): void;
  /** Decrypts `length` bytes at `offset`, the tag behind them. False if the tag is wrong; the bytes are then worthless. */
  open(key: Uint8Array, counter: number, offset: number, length: number): boolean;
  /** Drops any inner copy of keys: called whenever a key is wiped. */
  forget(): void;
}
