/** The portable cryptography, in JavaScript: the fallback, and what tests compare libcrypto with. */
import { blake2s } from "@noble/hashes/blake2.js";
import { hmac } from "@noble/hashes/hmac.js";
import { chacha20poly1305, xchacha20poly1305 } from "@noble/ciphers/chacha.js";
import { x25519 } from "@noble/curves/ed25519.js";
import type { Crypto, TransportAead } from "./crypto.ts";
import { MAC_LENGTH, TAG_LENGTH } from "./spec.ts";

const ZERO_NONCE = new Uint8Array(12);

export const nobleCrypto: Crypto = {
  name: "noble",
  privateKey: (privateKey) => ({
    publicKey: (out) => nobleCrypto.publicKey(out, privateKey),
    dh: (out, publicKey) => nobleCrypto.dh(out, privateKey, publicKey),
    release() {},
  }),
  publicKey(out, privateKey) {
    take(out, x25519.getPublicKey(privateKey));
  },
  dh(out, privateKey, publicKey) {
    return attempt(() => take(out, x25519.getSharedSecret(privateKey, publicKey)));
  },
  hash(out, a, b) {
    take(out, blake2s.create().update(a).update(b).digest());
  },
  mac(out, key, data) {
    take(out, blake2s(data, { key, dkLen: MAC_LENGTH }));
  },
  hmac(out, key, data) {
    take(out, hmac(blake2s, key, data));
  },
  seal(out, key, plaintext, ad) {
    out.set(chacha20poly1305(key, ZERO_NONCE, ad).encrypt(plaintext));
  },
  open(out, key, sealed, ad) {
    return attempt(() => take(out, chacha20poly1305(key, ZERO_NONCE, ad).decrypt(sealed)));
  },
  xseal(out, { key, nonce, plaintext, ad }) {
    out.set(xchacha20poly1305(key, nonce, ad).encrypt(plaintext));
  },
  xopen(out, { key, nonce, sealed, ad }) {
    return attempt(() => out.set(xchacha20poly1305(key, nonce, ad).decrypt(sealed)));
  },
  transport: (arena) => new NobleTransport(arena),
  close() {},
};

class NobleTransport implements TransportAead {
  readonly #arena: Uint8Array;
  readonly #nonce = new Uint8Array(12);
  readonly #nonceView = new DataView(this.#nonce.buffer);

  constructor(arena: Uint8Array) {
    this.#arena = arena;
  }

  seal(key: Uint8Array, counter: number, offset: number, length: number): void {
    this.#setCounter(counter);
    const plaintext = this.#arena.subarray(offset, offset + length);
    this.#arena.set(chacha20poly1305(key, this.#nonce).encrypt(plaintext), offset);
  }

  open(key: Uint8Array, counter: number, offset: number, length: number): boolean {
    this.#setCounter(counter);
    const sealed = this.#arena.subarray(offset, offset + length + TAG_LENGTH);
    return attempt(() =>
      this.#arena.set(chacha20poly1305(key, this.#nonce).decrypt(sealed), offset)
    );
  }

  forget(): void {}

  #setCounter(counter: number): void {
    this.#nonceView.setUint32(4, counter >>> 0, true);
    this.#nonceView.setUint32(8, Math.floor(counter / 2 ** 32), true);
  }
}

/** Moves a result that may be secret to where the caller can wipe it. */
function take(out: Uint8Array, result: Uint8Array): void {
  out.set(result);
  result.fill(0);
}

/** noble throws for a wrong tag and for a point of low order: to the protocol that is a value. */
function attempt(action: () => void): boolean {
  try {
    action();
    return true;
  } catch {
    return false;
  }
}
