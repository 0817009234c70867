/** Secrets in, sealed bytes out, and back; keys and randomness come with the crypto. @core */
import { chacha20poly1305 } from "@noble/ciphers/chacha.js";
import { x25519 } from "@noble/curves/ed25519.js";
import { hkdf } from "@noble/hashes/hkdf.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { concat } from "../apdu/tlv.ts";
import type { CardCrypto, KdfCost } from "./crypto.ts";
import type { Reference } from "./reference.ts";

/**
 * How keys lie in the state file. A random master key is wrapped under the PIN and again under the
 * PUK. It is also an X25519 private key: whatever is written while no PIN is known (a key that the
 * administrator generates) is sealed to its public half, and only a PIN opens it again.
 *
 * Every AEAD key here encrypts once, so the nonce is zero.
 */
const NONCE = new Uint8Array(12);

/** 2^13: about 25 ms on a small box, so that unlocking stays far below a third of a second. */
export const KDF_COST: KdfCost = { N: 8192, r: 8, p: 1 };

/** The public half of a master key. */
export function vaultOf(masterKey: Uint8Array): Uint8Array {
  return x25519.getPublicKey(masterKey);
}

/** Wraps the master key under a PIN or PUK, with all its tries. */
export function wrapMasterKey(
  masterKey: Uint8Array,
  options: {
    crypto: CardCrypto;
    secret: Uint8Array;
    tries: number;
    isDefault: boolean;
    cost: KdfCost;
  },
): Reference {
  const { crypto, secret, tries, isDefault, cost } = options;
  const salt = crypto.randomBytes(16);
  const key = crypto.deriveKey(secret, salt, cost);
  const wrapped = chacha20poly1305(key, NONCE).encrypt(masterKey);
  key.fill(0);
  return { triesLeft: tries, tries, isDefault, salt, cost, wrapped };
}

/** The master key, or `undefined` when the PIN or PUK is another one. Constant time by its tag. */
export function unwrapMasterKey(
  reference: Reference,
  options: { crypto: CardCrypto; secret: Uint8Array },
): Uint8Array | undefined {
  const key = options.crypto.deriveKey(options.secret, reference.salt, reference.cost);
  try {
    return chacha20poly1305(key, NONCE).decrypt(reference.wrapped);
  } catch {
    return undefined;
  } finally {
    key.fill(0);
  }
}

/** Seals to a vault: 32 bytes of ephemeral key, then ciphertext and tag. `context` must match. */
export function seal(
  plain: Uint8Array,
  options: { crypto: CardCrypto; vault: Uint8Array; context: string },
): Uint8Array {
  const { crypto, vault, context } = options;
  const ephemeral = crypto.randomBytes(32);
  const sender = x25519.getPublicKey(ephemeral);
  const key = sealingKey(x25519.getSharedSecret(ephemeral, vault), { sender, vault });
  const sealed = chacha20poly1305(key, NONCE, utf8(context)).encrypt(plain);
  key.fill(0);
  ephemeral.fill(0);
  return concat(sender, sealed);
}

/** Opens what {@linkcode seal} made; `undefined` when it was damaged or moved. */
export function unseal(
  sealed: Uint8Array,
  options: { masterKey: Uint8Array; context: string },
): Uint8Array | undefined {
  const { masterKey, context } = options;
  const sender = sealed.subarray(0, 32);
  try {
    const shared = x25519.getSharedSecret(masterKey, sender);
    const key = sealingKey(shared, { sender, vault: vaultOf(masterKey) });
    const plain = chacha20poly1305(key, NONCE, utf8(context)).decrypt(sealed.subarray(32));
    key.fill(0);
    return plain;
  } catch {
    return undefined;
  }
}

function sealingKey(
  shared: Uint8Array,
  keys: { sender: Uint8Array; vault: Uint8Array },
): Uint8Array {
  const info = concat(utf8("sekisho softcard vault 1"), keys.sender, keys.vault);
  const key = hkdf(sha256, shared, undefined, info, 32);
  shared.fill(0);
  return key;
}

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
