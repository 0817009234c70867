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
  checkCardKey(publicKey);
  return {
    wrapFileKey(fileKey) {
      const { ephemeral, body } = wrapToCard(fileKey, { publicKey, label: NAME });
      return [new AgeStanza([NAME, cardTag(publicKey), base64(ephemeral)], body)];
    },
  };
}

/** Opens with the key on the card; its PIN must be verified. */
export function pivIdentity(card: AgreeingCard, cardKey: CardKey): FileKeyIdentity {
  return {
    unwrapFileKey: (stanzas) =>
      unwrapStanzas(card, cardKey, {
        label: NAME,
        stanzas: stanzas.filter(({ args }) => args.length === 3),
        bytes: WRAPPED_BYTES,
      }),
  };
}

/** @throws {RangeError} when a key is no compressed P-256 point. */
export function checkCardKey(publicKey: Uint8Array): void {
  if (expandPoint(publicKey) === undefined) {
    throw new RangeError("Cannot seal: the card's key is no P-256 point");
  }
}

/** Wraps a secret to a card's key; `label` names what for, so that one use can't stand for another. */
export function wrapToCard(
  secret: Uint8Array,
  to: { publicKey: Uint8Array; label: string },
): { ephemeral: Uint8Array; body: Uint8Array } {
  const pair = createECDH("prime256v1");
  pair.generateKeys();
  const ephemeral = new Uint8Array(pair.getPublicKey(null, "compressed"));
  const shared = new Uint8Array(pair.computeSecret(expandPoint(to.publicKey) ?? to.publicKey));
  const key = wrappingKey(shared, { ephemeral, ...to });
  const body = chacha20poly1305(key, NONCE).encrypt(secret);
  key.fill(0);
  return { ephemeral, body };
}

/**
 * The secret of the one stanza that is this key's own; `null` when there is none. Such a stanza has
 * the label, the key's tag and the ephemeral key as its first three words.
 * @throws {StanzaError} when a stanza names this key and isn't for it.
 */
export async function unwrapStanzas(
  card: AgreeingCard,
  { slot, publicKey }: CardKey,
  from: { label: string; stanzas: readonly Stanza[]; bytes: number },
): Promise<Uint8Array | null> {
  const { label, stanzas, bytes } = from;
  const own = stanzas.filter(({ args: [name, tag, ephemeral] }) =>
    name === label && tag === cardTag(publicKey) && ephemeral !== undefined
  );
  for (const stanza of own.slice(0, MOST_TRIES)) {
    const ephemeral = unbase64(stanza.args[2] ?? "");
    const peer = ephemeral && expandPoint(ephemeral);
    if (ephemeral === undefined || peer === undefined || stanza.body.length !== bytes) {
      throw new StanzaError("Cannot open: the stanza for this card is malformed");
    }
    const shared = await card.agree(slot, { algorithm: PIV_ALGORITHM.eccP256, peer });
    const key = wrappingKey(shared, { ephemeral, publicKey, label });
    try {
      return chacha20poly1305(key, NONCE).decrypt(stanza.body);
    } catch {
      continue; // four bytes of tag may belong to another key
    } finally {
      key.fill(0);
    }
  }
  if (own.length > 0) throw new StanzaError("Cannot open: the stanza is not for this card's key");
  return null;
}

/** The first four bytes of the key's SHA-256, in base64: how a stanza names it. */
export function cardTag(publicKey: Uint8Array): string {
  return base64(sha256(publicKey).subarray(0, 4));
}

/** 04 X Y to the compressed form; `undefined` when it is no point of the curve. */
export function compressPoint(point: Uint8Array): Uint8Array | undefined {
  try {
    return p256.Point.fromBytes(point).toBytes(true);
  } catch {
    return undefined;
  }
}

/** The compressed form (33 bytes) to 04 X Y; `undefined` when it is no point of the curve. */
export function expandPoint(point: Uint8Array): Uint8Array | undefined {
  try {
    return point.length === 33 ? p256.Point.fromBytes(point).toBytes(false) : undefined;
  } catch {
    return undefined;
  }
}

/** Wipes `shared`. */
function wrappingKey(
  shared: Uint8Array,
  keys: { ephemeral: Uint8Array; publicKey: Uint8Array; label: string },
): Uint8Array {
  const salt = concat(keys.ephemeral, keys.publicKey);
  const key = hkdf(sha256, shared, salt, new TextEncoder().encode(keys.label), 32);
  shared.fill(0);
  return key;
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
