/**
 * X25519 (RFC 7748) by libcrypto's EVP. For a raw private key OpenSSL computes the public key too,
 * which costs as much as the Diffie-Hellman itself: so a key is made ready once and used until it is
 * released. It lies in OpenSSL's secure heap (locked, not dumped, wiped when it is freed).
 */
import { buffer, type Library, size, type Symbols } from "./libcrypto_symbols.ts";

/** From OpenSSL's obj_mac.h. */
const EVP_PKEY_X25519 = 1034;
const KEY_LENGTH = size(32);
/** Any point will do; each Diffie-Hellman overwrites it. */
const FIRST_POINT = new Uint8Array(32).fill(9, 0, 1);

/** Makes private keys ready for Diffie-Hellman (RFC 7748 section 5). */
export class X25519 {
  readonly #symbols: Symbols;
  /** The other side of each Diffie-Hellman. */
  readonly #peer: Deno.PointerValue;

  private constructor(symbols: Symbols, peer: Deno.PointerValue) {
    this.#symbols = symbols;
    this.#peer = peer;
  }

  /** Undefined if this libcrypto was built or configured without. */
  static open({ symbols }: Library): X25519 | undefined {
    const peer = symbols.EVP_PKEY_new_raw_public_key(
      EVP_PKEY_X25519,
      null,
      FIRST_POINT,
      KEY_LENGTH,
    );
    return peer === null ? undefined : new X25519(symbols, peer);
  }

  /** Makes a private key of 32 bytes (need not be clamped) ready. Wipe it with `release`. */
  key(privateKey: Uint8Array): X25519Key {
    return new X25519Key(this.#symbols, { privateKey, peer: this.#peer });
  }

  close(): void {
    this.#symbols.EVP_PKEY_free(this.#peer);
  }
}

/** One private key, in the library's secure heap until `release`. */
export class X25519Key {
  readonly #symbols: Symbols;
  readonly #peer: Deno.PointerValue;
  #key: Deno.PointerValue;
  #context: Deno.PointerValue;
  /** A size_t that functions write lengths to. */
  readonly #sizeOut = new BigUint64Array(1);

  /** For `X25519.key` only. */
  constructor(symbols: Symbols, parts: { privateKey: Uint8Array; peer: Deno.PointerValue }) {
    this.#symbols = symbols;
    this.#peer = parts.peer;
    const read = symbols.EVP_PKEY_new_raw_private_key(
      EVP_PKEY_X25519,
      null,
      buffer(parts.privateKey),
      KEY_LENGTH,
    );
    // What is read from bytes lies in the ordinary heap, its double in the secure one: unless that is
    // full, of thousands of keys that nobody released, where the first one does as well.
    const double = symbols.EVP_PKEY_dup(read);
    if (double !== null) symbols.EVP_PKEY_free(read);
    this.#key = double ?? read;
    this.#context = symbols.EVP_PKEY_CTX_new(this.#key, null);
    symbols.EVP_PKEY_derive_init(this.#context);
  }

  publicKey(out: Uint8Array): void {
    this.#sizeOut[0] = 32n;
    this.#symbols.EVP_PKEY_get_raw_public_key(this.#key, buffer(out), this.#sizeOut);
  }

  /** False for a point of low order. */
  dh(out: Uint8Array, publicKey: Uint8Array): boolean {
    // A released key must not become a null pointer in OpenSSL's hands.
    if (this.#key === null) return false;
    const symbols = this.#symbols;
    this.#sizeOut[0] = 32n;
    return symbols.EVP_PKEY_set1_encoded_public_key(this.#peer, buffer(publicKey), KEY_LENGTH) ===
        1 &&
      symbols.EVP_PKEY_derive_set_peer_ex(this.#context, this.#peer, 0) === 1 &&
      symbols.EVP_PKEY_derive(this.#context, buffer(out), this.#sizeOut) === 1;
  }

  /** Wipes and frees OpenSSL's copy of the key. */
  release(): void {
    this.#symbols.EVP_PKEY_CTX_free(this.#context);
    this.#symbols.EVP_PKEY_free(this.#key);
    this.#context = null;
    this.#key = null;
  }
}
