/**
 * How a gateway gets a sealed profile from a hub that keeps it. One exchange for each connection:
 *
 *     hub     -> gateway   "SKP1", challenge (32)
 *     gateway -> hub       nonce (32), sealed: the card's id
 *     hub     -> gateway   length (4), sealed: the profile as a file, or nothing
 *
 * What crosses is signed and sealed to its card anyway. So that nobody else learns whose cards there
 * are, both sides hold one key of 32 bytes, and each message is sealed under a key of its own:
 * HKDF-SHA256 of it with challenge and nonce, ChaCha20-Poly1305.
 * @core
 */
import { chacha20poly1305 } from "@noble/ciphers/chacha.js";
import { hkdf } from "@noble/hashes/hkdf.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { concat } from "../apdu/tlv.ts";
import { LONGEST_BUNDLE } from "./bundle.ts";

/** What the hub says first. */
export const STORE_GREETING = new TextEncoder().encode("SKP1");

/** Bytes of a challenge, of a nonce, and of the key that both sides hold. */
export const STORE_BYTES = 32;

const [CARD_ID_BYTES, TAG_BYTES] = [64, 16];
const INFO = { request: "sekisho profile request 1", answer: "sekisho profile answer 1" } as const;
const NONCE = new Uint8Array(12); // every key is used once

/** Bytes of a request. */
export const STORE_REQUEST_BYTES = STORE_BYTES + CARD_ID_BYTES + TAG_BYTES;

/** Longest sealed answer. */
export const LONGEST_STORE_ANSWER = LONGEST_BUNDLE + TAG_BYTES;

/** One exchange, as either side knows it. */
export interface StoreExchange {
  /** {@linkcode STORE_BYTES}. */
  readonly key: Uint8Array;
  readonly challenge: Uint8Array;
  /** Chosen by the gateway at random, used once. */
  readonly nonce: Uint8Array;
}

/** Asks for a card's profile. */
export function sealStoreRequest(exchange: StoreExchange, cardId: string): Uint8Array {
  const id = new TextEncoder().encode(cardId);
  if (id.length === 0 || id.length > CARD_ID_BYTES) {
    throw new RangeError(`Cannot ask for a card whose id has ${id.length} bytes`);
  }
  const padded = new Uint8Array(CARD_ID_BYTES);
  padded.set(id);
  return concat(exchange.nonce, cipher(exchange, "request").encrypt(padded));
}

/** Reads a request; `undefined` when it is none under this key and challenge. */
export function openStoreRequest(
  bytes: Uint8Array,
  { key, challenge }: Pick<StoreExchange, "key" | "challenge">,
): { exchange: StoreExchange; cardId: string } | undefined {
  if (bytes.length !== STORE_REQUEST_BYTES) return undefined;
  const exchange = { key, challenge, nonce: bytes.slice(0, STORE_BYTES) };
  const padded = opened(exchange, "request", bytes.subarray(STORE_BYTES));
  if (padded === undefined) return undefined;
  const end = padded.indexOf(0);
  const id = end < 0 ? padded : padded.subarray(0, end);
  return { exchange, cardId: new TextDecoder().decode(id) };
}

/** Answers with a profile's file; empty: there is none. */
export function sealStoreAnswer(exchange: StoreExchange, file: Uint8Array): Uint8Array {
  return cipher(exchange, "answer").encrypt(file);
}

/** Reads an answer without its length; `undefined` when it is not from that hub to this request. */
export function openStoreAnswer(
  exchange: StoreExchange,
  answer: Uint8Array,
): Uint8Array | undefined {
  return answer.length > LONGEST_STORE_ANSWER ? undefined : opened(exchange, "answer", answer);
}

function opened(
  exchange: StoreExchange,
  what: keyof typeof INFO,
  bytes: Uint8Array,
): Uint8Array | undefined {
  try {
    return cipher(exchange, what).decrypt(bytes);
  } catch {
    return undefined; // another key, another exchange, or changed on its way
  }
}

function cipher({ key, challenge, nonce }: StoreExchange, what: keyof typeof INFO) {
  const info = new TextEncoder().encode(INFO[what]);
  return chacha20poly1305(hkdf(sha256, key, concat(challenge, nonce), info, 32), NONCE);
}
