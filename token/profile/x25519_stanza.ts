/**
 * Stanzas of age's X25519 recipients (age-encryption.org/v1, "The X25519 recipient type"), whoever
 * does the Diffie-Hellman: a key in memory or one on a card.
 */
import { chacha20poly1305 } from "@noble/ciphers/chacha.js";
import { x25519 } from "@noble/curves/ed25519.js";
import { hkdf } from "@noble/hashes/hkdf.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { concat } from "../apdu/tlv.ts";
import { StanzaError } from "./container.ts";
import type { Stanza } from "./types.ts";

/** Length of keys, shares and shared secrets in bytes. */
export const X25519_BYTES = 32;

const NAME = "X25519";
const LABEL = new TextEncoder().encode("age-encryption.org/v1/X25519");
const NONCE = new Uint8Array(12); // every wrapping key is used once

/** Whether the stanza is of this kind. */
export function isX25519Stanza({ args }: Stanza): boolean {
  return args[0] === NAME;
}

/**
 * The sender's share, 32 bytes, which no secret makes zero.
 * @throws {StanzaError} when the stanza is malformed.
 */
export function ephemeralShare({ args, body }: Stanza): Uint8Array {
  const [, share = "", ...more] = args;
  const isWhole = more.length === 0 && body.length === X25519_BYTES &&
    /^[A-Za-z0-9+/]{43}$/.test(share);
  if (!isWhole) throw new StanzaError("Cannot open: a stanza for an X25519 key is malformed");
  try {
    const ephemeral = Uint8Array.fromBase64(share);
    // Any secret shows a point of small order: with each the result is zero, which is refused.
    x25519.getSharedSecret(new Uint8Array(X25519_BYTES).fill(1), ephemeral).fill(0);
    return ephemeral;
  } catch {
    throw new StanzaError("Cannot open: a stanza for an X25519 key has no share");
  }
}

/**
 * The file key in the stanza; undefined when it is for somebody else. `shared` is the result of the
 * Diffie-Hellman and is wiped.
 */
export function unwrapStanza(
  { body }: Stanza,
  { shared, ephemeral, publicKey }: {
    shared: Uint8Array;
    ephemeral: Uint8Array;
    publicKey: Uint8Array;
  },
): Uint8Array | undefined {
  const key = hkdf(sha256, shared, concat(ephemeral, publicKey), LABEL, X25519_BYTES);
  shared.fill(0);
  try {
    return chacha20poly1305(key, NONCE).decrypt(body);
  } catch {
    return undefined;
  } finally {
    key.fill(0);
  }
}
