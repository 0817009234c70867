/**
 * A card's X25519 decryption key as an age recipient: age-encryption.org/v1, "The X25519 recipient
 * type". Whoever knows the recipient seals with stock tools; the card opens, and its key stays in it.
 */
import { chacha20poly1305 } from "@noble/ciphers/chacha.js";
import { x25519 } from "@noble/curves/ed25519.js";
import { hkdf } from "@noble/hashes/hkdf.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { concat } from "../apdu/tlv.ts";
import { StanzaError } from "../profile/container.ts";
import type { FileKeyIdentity, Stanza } from "../profile/types.ts";
import type { OpenPgpClient } from "./client.ts";

const NAME = "X25519";
const LABEL = new TextEncoder().encode("age-encryption.org/v1/X25519");
const NONCE = new Uint8Array(12); // every wrapping key is used once
const KEY_BYTES = 32;

/** Such stanzas don't say whom they are for: each costs the card an operation. */
const MOST_TRIES = 8;

/** `age1…` for a card's decryption key (32 bytes). */
export function ageRecipient(publicKey: Uint8Array): string {
  if (publicKey.length !== KEY_BYTES) {
    throw new RangeError(`Cannot name a recipient by ${publicKey.length} bytes`);
  }
  return bech32("age", publicKey);
}

/**
 * Opens with the card's decryption key; PW1 (82) must be verified.
 * @throws {StanzaError} when a stanza of this kind is malformed, or there are too many of them.
 */
export function openPgpIdentity(
  card: Pick<OpenPgpClient, "agree">,
  publicKey: Uint8Array,
): FileKeyIdentity {
  return {
    async unwrapFileKey(stanzas) {
      const own = stanzas.filter(({ args }) => args[0] === NAME);
      for (const stanza of own.slice(0, MOST_TRIES)) {
        const ephemeral = ephemeralOf(stanza);
        const shared = await card.agree({ peer: ephemeral });
        const key = hkdf(sha256, shared, concat(ephemeral, publicKey), LABEL, KEY_BYTES);
        shared.fill(0);
        try {
          return chacha20poly1305(key, NONCE).decrypt(stanza.body);
        } catch {
          continue; // somebody else's
        } finally {
          key.fill(0);
        }
      }
      if (own.length > MOST_TRIES) {
        throw new StanzaError(`Cannot open: more than ${MOST_TRIES} stanzas to try on the card`);
      }
      return null;
    },
  };
}

/** The point is checked here, so that no file makes a card look broken. */
function ephemeralOf({ args, body }: Stanza): Uint8Array {
  const [, share = "", ...more] = args;
  const isWhole = more.length === 0 && body.length === KEY_BYTES && /^[\w+/]{43}$/.test(share);
  if (!isWhole) throw new StanzaError("Cannot open: a stanza for a card is malformed");
  try {
    const ephemeral = Uint8Array.fromBase64(share);
    // Any secret shows a point of small order: with each the result is zero, which is refused.
    x25519.getSharedSecret(new Uint8Array(KEY_BYTES).fill(1), ephemeral).fill(0);
    return ephemeral;
  } catch {
    throw new StanzaError("Cannot open: a stanza for a card has no key");
  }
}

const CHARSET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
const GENERATOR = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3];
const CHECKSUM = 6;

/** BIP 173. */
function bech32(prefix: string, bytes: Uint8Array): string {
  const values: number[] = [];
  let [bits, held] = [0, 0];
  for (const byte of bytes) {
    bits = (bits << 8 | byte) & 0xfff;
    for (held += 8; held >= 5; held -= 5) values.push(bits >> (held - 5) & 31);
  }
  if (held > 0) values.push(bits << (5 - held) & 31);
  const codes = Array.from(prefix, (letter) => letter.charCodeAt(0));
  const expanded = [...codes.map((code) => code >> 5), 0, ...codes.map((code) => code & 31)];
  const sum = polymod([...expanded, ...values, ...new Array<number>(CHECKSUM).fill(0)]) ^ 1;
  for (let at = 0; at < CHECKSUM; at++) values.push(sum >>> 5 * (CHECKSUM - 1 - at) & 31);
  return `${prefix}1${values.map((value) => CHARSET[value]).join("")}`;
}

function polymod(values: readonly number[]): number {
  let sum = 1;
  for (const value of values) {
    const top = sum >>> 25;
    sum = (sum & 0x1ffffff) << 5 ^ value;
    GENERATOR.forEach((generator, bit) => {
      if ((top >> bit & 1) === 1) sum ^= generator;
    });
  }
  return sum >>> 0;
}
