/**
 * Sealing to a P-256 key on a card: the stanza `piv-p256` as age-plugin-yubikey writes it.
 *
 *     -> piv-p256 <first 4 bytes of SHA-256(key)> <ephemeral key>
 *     <file key under ChaCha20-Poly1305 with HKDF-SHA256(ECDH, ephemeral || key, "piv-p256")>
 *
 * Keys are compressed points of 33 bytes, in base64 without padding.
 */
import { createECDH } from "node:crypto";
import { chacha20poly1305 } from "@noble/ciphers/chacha.js";
import { p256 } from "@noble/curves/nist.js";
import { hkdf } from "@noble/hashes/hkdf.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { Stanza as AgeStanza } from "age-encryption";
import { concat } from "../apdu/tlv.ts";
import { PIV_ALGORITHM, type PivAlgorithm } from "../piv/constants.ts";
import { type FileKeyRecipient, StanzaError } from "./container.ts";
import type { CardKey, FileKeyIdentity, Stanza } from "./types.ts";

const NAME = "piv-p256";
const NONCE = new Uint8Array(12); // every wrapping key is used once
const WRAPPED_BYTES = 32;

/** More stanzas for one key than this are no honest file: each costs the card an operation. */
const MOST_TRIES = 4;

/** What unwrapping needs of a card; `PivClient` has it. */
export interface AgreeingCard {
  agree(slot: number, request: { algorithm: PivAlgorithm; peer: Uint8Array }): Promise<Uint8Array>;
}

/** Seals to a card's key (compressed point, 33 bytes). */
export function pivRecipient(publicKey: Uint8Array): FileKeyRecipient {
  const recipient = decompress(publicKey);
  if (recipient === undefined) {
    throw new RangeError("Cannot seal: the card's key is no P-256 point");
  }
  return {
    wrapFileKey(fileKey) {
      const pair = createECDH("prime256v1");
      pair.generateKeys();
      const ephemeral = new Uint8Array(pair.getPublicKey(null, "compressed"));
      const shared = new Uint8Array(pair.computeSecret(recipient));
      const key = wrappingKey(shared, { ephemeral, publicKey });
      const body = chacha20poly1305(key, NONCE).encrypt(fileKey);
      key.fill(0);
      return [new AgeStanza([NAME, base64(tagOf(publicKey)), base64(ephemeral)], body)];
    },
  };
}

/** Opens with the key on the card; its PIN must be verified. */
export function pivIdentity(card: AgreeingCard, cardKey: CardKey): FileKeyIdentity {
  const { slot, publicKey } = cardKey;
  return {
    async unwrapFileKey(stanzas) {
      const own = stanzas.filter((stanza) => isFor(stanza, publicKey));
      for (const stanza of own.slice(0, MOST_TRIES)) {
        const ephemeral = unbase64(stanza.args[2] ?? "");
        const peer = ephemeral && decompress(ephemeral);
        if (ephemeral === undefined || peer === undefined || stanza.body.length !== WRAPPED_BYTES) {
          throw new StanzaError("Cannot open: the stanza for this card is malformed");
        }
        const shared = await card.agree(slot, { algorithm: PIV_ALGORITHM.eccP256, peer });
        const key = wrappingKey(shared, { ephemeral, publicKey });
        try {
          return chacha20poly1305(key, NONCE).decrypt(stanza.body);
        } catch {
          continue; // four bytes of tag may belong to another key
        } finally {
          key.fill(0);
        }
      }
      if (own.length > 0) {
        throw new StanzaError("Cannot open: the stanza is not for this card's key");
      }
      return null;
    },
  };
}

/** 04 X Y to the compressed form; `undefined` when it is no point of the curve. */
export function compressPoint(point: Uint8Array): Uint8Array | undefined {
  try {
    return p256.Point.fromBytes(point).toBytes(true);
  } catch {
    return undefined;
  }
}

function decompress(point: Uint8Array): Uint8Array | undefined {
  try {
    return point.length === 33 ? p256.Point.fromBytes(point).toBytes(false) : undefined;
  } catch {
    return undefined;
  }
}

/** Wipes `shared`. */
function wrappingKey(
  shared: Uint8Array,
  keys: { ephemeral: Uint8Array; publicKey: Uint8Array },
): Uint8Array {
  const salt = concat(keys.ephemeral, keys.publicKey);
  const key = hkdf(sha256, shared, salt, new TextEncoder().encode(NAME), 32);
  shared.fill(0);
  return key;
}

function isFor(stanza: Stanza, publicKey: Uint8Array): boolean {
  const [name, tag] = stanza.args;
  return name === NAME && stanza.args.length === 3 && tag === base64(tagOf(publicKey));
}

function tagOf(publicKey: Uint8Array): Uint8Array {
  return sha256(publicKey).subarray(0, 4);
}

function base64(bytes: Uint8Array): string {
  return bytes.toBase64({ omitPadding: true });
}

function unbase64(text: string): Uint8Array | undefined {
  try {
    return Uint8Array.fromBase64(text);
  } catch {
    return undefined;
  }
}
