/**
 * A PIN's way from the page to the engine: HPKE base mode (RFC 9180) with DHKEM(X25519,
 * HKDF-SHA256), HKDF-SHA256 and ChaCha20-Poly1305. Runs in browsers and in the engine alike, and
 * needs no `crypto.subtle`, which is missing outside secure contexts.
 */
import {
  AEAD_ChaCha20Poly1305,
  KDF_HKDF_SHA256,
  KEM_DHKEM_X25519_HKDF_SHA256,
} from "@panva/hpke-noble";
import { CipherSuite, type Key } from "hpke";

/** Longest PIN in bytes that is accepted anywhere (PIV: 8; OpenPGP and passwords: longer). */
export const MAX_PIN_BYTES = 64;

const INFO = new TextEncoder().encode("sekisho pin 1");

const suite = new CipherSuite(
  KEM_DHKEM_X25519_HKDF_SHA256,
  KDF_HKDF_SHA256,
  AEAD_ChaCha20Poly1305,
);

/** The engine's half: the public key goes to pages, `open` answers what they sealed. */
export interface PinOpener {
  /** 32 bytes, X25519. */
  readonly publicKey: Uint8Array;
  /** The PIN's bytes, to be wiped by the caller; `undefined` when it was not sealed to this key. */
  open(sealed: { enc: Uint8Array; ciphertext: Uint8Array }): Promise<Uint8Array | undefined>;
}

/**
 * Seals a PIN to one engine.
 * @param to The engine's public key (32 bytes) and name; the name is bound as associated data.
 * @throws {RangeError} when the PIN is empty or longer than {@link MAX_PIN_BYTES}.
 */
export async function sealPin(
  pin: Uint8Array,
  to: { publicKey: Uint8Array; engine: string },
): Promise<{ enc: Uint8Array; ciphertext: Uint8Array }> {
  if (pin.length === 0 || pin.length > MAX_PIN_BYTES) {
    throw new RangeError(`Cannot seal a PIN of ${pin.length} bytes`);
  }
  const key = await suite.DeserializePublicKey(to.publicKey);
  const { encapsulatedSecret, ciphertext } = await suite.Seal(key, pin, {
    info: INFO,
    aad: new TextEncoder().encode(to.engine),
  });
  return { enc: encapsulatedSecret, ciphertext };
}

/** Makes an engine's ephemeral key pair; it lives as long as the engine. */
export async function makePinOpener(engine: string): Promise<PinOpener> {
  const pair: { publicKey: Key; privateKey: Key } = await suite.GenerateKeyPair();
  const publicKey = await suite.SerializePublicKey(pair.publicKey);
  const aad = new TextEncoder().encode(engine);
  return {
    publicKey,
    async open({ enc, ciphertext }) {
      if (enc.length !== 32 || ciphertext.length > MAX_PIN_BYTES + 16) return undefined;
      try {
        return await suite.Open(pair.privateKey, enc, ciphertext, { info: INFO, aad });
      } catch {
        return undefined; // whatever was wrong with it, it was not sealed to this engine
      }
    },
  };
}
