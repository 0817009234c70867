/**
 * Announcements and answers under a manual key (manual_spec.ts): what they say, and which keys
 * follow. Each side seals only with keys into which a nonce of its own went, made anew for that:
 * so no key is ever used twice, whatever was replayed, forgotten or restored.
 */
import type { Crypto } from "./crypto.ts";
import type { Handshake } from "./handshake.ts";
import type { Kdf } from "./kdf.ts";
import { KEY_ID_LENGTH, LABEL_KEY_ID, MANUAL_CONSTRUCTION } from "./manual_spec.ts";
import { TYPE_ANNOUNCEMENT, TYPE_ANSWER } from "./manual_spec.ts";
import { KEY_LENGTH, TIMESTAMP_LENGTH } from "./spec.ts";

/** Who speaks to whom, under which key. A message of one way is none of the other. */
export interface ManualWay {
  readonly manualKey: Uint8Array;
  readonly sender: Uint8Array;
  readonly receiver: Uint8Array;
}

const EMPTY = new Uint8Array(0);
const NONCE = 8;
const MASKED_ID = 40;
const SEALED_TIMESTAMP = 56;
const ANNOUNCEMENT_END = 84;
const ANSWER_NONCE = 12;
const SEALED_NOTHING = 44;
const ANSWER_END = 60;

export class ManualMessages {
  readonly #crypto: Crypto;
  readonly #kdf: Kdf;
  readonly #random: (out: Uint8Array) => void;
  readonly #initialChainKey = new Uint8Array(KEY_LENGTH);
  readonly #entropy = new Uint8Array(KEY_LENGTH + TIMESTAMP_LENGTH);

  constructor(parts: { crypto: Crypto; kdf: Kdf; random: (out: Uint8Array) => void }) {
    this.#crypto = parts.crypto;
    this.#kdf = parts.kdf;
    this.#random = parts.random;
    const text = new TextEncoder().encode(MANUAL_CONSTRUCTION);
    this.#crypto.hash(this.#initialChainKey, text, EMPTY);
  }

  /** Names the key to whoever has it; no secret. `state` is only room to work in. */
  keyId(state: Handshake, way: ManualWay): Uint8Array {
    this.#begin(state, way);
    const id = state.temp.slice(0, KEY_ID_LENGTH);
    state.temp.fill(0);
    state.ephemeral.fill(0);
    return id;
  }

  /** The id that `message` names, which came for `receiver`. */
  readKeyId(message: Uint8Array, receiver: Uint8Array): Uint8Array {
    const id = message.slice(MASKED_ID, SEALED_TIMESTAMP);
    this.#mask(id, nonceOf(message), receiver);
    return id;
  }

  /**
   * Fills `message` but its MACs, and `earlyKey`; the state goes on with the answer. Returns the
   * receiver's index for transport messages under the early key.
   */
  createAnnouncement(
    state: Handshake,
    message: Uint8Array,
    parts: ManualWay & { timestamp: Uint8Array; earlyKey: Uint8Array },
  ): number {
    message.fill(0);
    message[0] = TYPE_ANNOUNCEMENT;
    new DataView(message.buffer, message.byteOffset).setUint32(4, state.localIndex, true);
    this.#begin(state, parts);
    const id = message.subarray(MASKED_ID, SEALED_TIMESTAMP);
    id.set(state.temp.subarray(0, KEY_ID_LENGTH));
    const nonce = nonceOf(message);
    this.#newNonce(nonce, state.ephemeral, parts.timestamp);
    this.#mask(id, nonce, parts.receiver);

    const index = this.#deriveEarly(state, message, parts.earlyKey);
    const sealed = message.subarray(SEALED_TIMESTAMP, ANNOUNCEMENT_END);
    this.#crypto.seal(sealed, state.temp, parts.timestamp, state.hash);
    this.#mix(state.hash, sealed);
    state.temp.fill(0);
    return index;
  }

  /** Reads an announcement; the state is then ready for `createAnswer`. Undefined if it isn't genuine. */
  consumeAnnouncement(
    state: Handshake,
    message: Uint8Array,
    parts: ManualWay & { earlyKey: Uint8Array },
  ): { readonly timestamp: Uint8Array; readonly index: number } | undefined {
    this.#begin(state, parts);
    state.remoteIndex = new DataView(message.buffer, message.byteOffset).getUint32(4, true);
    const index = this.#deriveEarly(state, message, parts.earlyKey);
    const sealed = message.subarray(SEALED_TIMESTAMP, ANNOUNCEMENT_END);
    const timestamp = new Uint8Array(TIMESTAMP_LENGTH);
    const genuine = this.#crypto.open(timestamp, state.temp, sealed, state.hash);
    this.#mix(state.hash, sealed);
    state.temp.fill(0);
    return genuine ? { timestamp, index } : undefined;
  }

  /** Fills `message` but its MACs; `Noise.deriveKeys` may follow. */
  createAnswer(state: Handshake, message: Uint8Array, timestamp: Uint8Array): void {
    message.fill(0);
    message[0] = TYPE_ANSWER;
    const view = new DataView(message.buffer, message.byteOffset);
    view.setUint32(4, state.localIndex, true);
    view.setUint32(8, state.remoteIndex, true);
    this.#newNonce(message.subarray(ANSWER_NONCE, SEALED_NOTHING), state.chainKey, timestamp);
    this.#deriveAnswered(state, message);
    const sealed = message.subarray(SEALED_NOTHING, ANSWER_END);
    this.#crypto.seal(sealed, state.temp, EMPTY, state.hash);
    state.temp.fill(0);
  }

  /** Reads an answer to `sent` into `state`, a state of its own: a forged one changes nothing. */
  consumeAnswer(state: Handshake, message: Uint8Array, sent: Handshake): boolean {
    state.chainKey.set(sent.chainKey);
    state.hash.set(sent.hash);
    state.localIndex = sent.localIndex;
    state.remoteIndex = new DataView(message.buffer, message.byteOffset).getUint32(4, true);
    this.#deriveAnswered(state, message);
    const sealed = message.subarray(SEALED_NOTHING, ANSWER_END);
    const genuine = this.#crypto.open(new Uint8Array(0), state.temp, sealed, state.hash);
    state.temp.fill(0);
    return genuine;
  }

  /** The chain and hash of this way; its id lies in `temp`, what hedges nonces in `ephemeral`. */
  #begin(state: Handshake, { manualKey, sender, receiver }: ManualWay): void {
    const { chainKey, hash, temp, ephemeral } = state;
    this.#kdf.derive([chainKey], this.#initialChainKey, manualKey);
    this.#crypto.hash(hash, sender, receiver);
    this.#kdf.derive([temp, chainKey, ephemeral], chainKey, hash);
  }

  /** The key of the sealed timestamp lies in `temp` after it. */
  #deriveEarly(state: Handshake, message: Uint8Array, earlyKey: Uint8Array): number {
    const { chainKey, hash, temp, ephemeral } = state;
    this.#mix(hash, message.subarray(0, NONCE));
    this.#mix(hash, nonceOf(message));
    this.#mix(hash, message.subarray(MASKED_ID, SEALED_TIMESTAMP));
    this.#kdf.derive([temp, earlyKey, chainKey, ephemeral], chainKey, hash);
    const index = new DataView(ephemeral.buffer, ephemeral.byteOffset).getUint32(0, true);
    ephemeral.fill(0);
    return index;
  }

  /** The key of the sealed nothing lies in `temp` after it. */
  #deriveAnswered(state: Handshake, message: Uint8Array): void {
    const { chainKey, hash, temp } = state;
    this.#mix(hash, message.subarray(0, ANSWER_NONCE));
    this.#mix(hash, message.subarray(ANSWER_NONCE, SEALED_NOTHING));
    this.#kdf.derive([temp, chainKey], chainKey, hash);
  }

  #newNonce(out: Uint8Array, hedge: Uint8Array, timestamp: Uint8Array): void {
    this.#random(this.#entropy.subarray(0, KEY_LENGTH));
    this.#entropy.set(timestamp, KEY_LENGTH);
    this.#kdf.derive([out], hedge, this.#entropy);
    this.#entropy.fill(0);
  }

  /** Both ways: masks an id, and takes the mask off. */
  #mask(id: Uint8Array, nonce: Uint8Array, receiver: Uint8Array): void {
    const key = new Uint8Array(KEY_LENGTH);
    this.#crypto.hash(key, new TextEncoder().encode(LABEL_KEY_ID), receiver);
    const mask = new Uint8Array(KEY_ID_LENGTH);
    this.#crypto.mac(mask, key, nonce);
    for (const [at, byte] of mask.entries()) id[at] = (id[at] ?? 0) ^ byte;
  }

  #mix(hash: Uint8Array, data: Uint8Array): void {
    this.#crypto.hash(hash, hash, data);
  }
}

/** Of an announcement: what makes it another than any other. */
export function nonceOf(message: Uint8Array): Uint8Array {
  return message.subarray(NONCE, MASKED_ID);
}
