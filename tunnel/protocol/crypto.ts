/**
 * What the protocol needs of cryptography. Keys are views of memory that the caller owns and wipes;
 * an implementation keeps no copy of a key beyond a call, but the one that `TransportAead` names.
 */
export interface Crypto {
  readonly name: "libcrypto" | "noble";
  /** X25519 public key of `privateKey` (32 bytes, need not be clamped). RFC 7748. */
  publicKey(out: Uint8Array, privateKey: Uint8Array): void;
  /** X25519. False (and `out` unspecified) for a point of low order, whose result is all zero. */
  dh(out: Uint8Array, privateKey: Uint8Array, publicKey: Uint8Array): boolean;
  /** BLAKE2s-256 of `a` and `b` joined. `out` may be `a`. RFC 7693. */
  hash(out: Uint8Array, a: Uint8Array, b: Uint8Array): void;
  /** Keyed BLAKE2s with 16 bytes of output. */
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

/** ChaCha20-Poly1305 in place, without additional data, on packets in one arena. Allocates nothing. */
export interface TransportAead {
  /** Encrypts `length` bytes at `offset` (a multiple of 16) and writes the tag behind them. */
  seal(key: Uint8Array, counter: number, offset: number, length: number): void;
  /** Decrypts `length` bytes at `offset`, the tag behind them. False if the tag is wrong; the bytes are then worthless. */
  open(key: Uint8Array, counter: number, offset: number, length: number): boolean;
  /** Drops any inner copy of keys: called whenever a key is wiped. */
  forget(): void;
}
