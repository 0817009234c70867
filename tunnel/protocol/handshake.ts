/**
 * The Noise IKpsk2 handshake (whitepaper 5.4.2 to 5.4.5): four functions, one for each message and
 * side. They are generators: each `yield` asks for a Diffie-Hellman with the interface's static
 * key, whose answer may come at once (a local key) or much later (a card), true once the result
 * lies in `out`. Everything else is computed here.
 */
import type { Crypto, PrivateKey } from "./crypto.ts";
import { Kdf } from "./kdf.ts";
import type { KeyPool, KeySlot } from "./key_pool.ts";
import {
  CONSTRUCTION,
  IDENTIFIER,
  INITIATION_LENGTH,
  KEY_LENGTH,
  RESPONSE_LENGTH,
  TIMESTAMP_LENGTH,
  TYPE_INITIATION,
  TYPE_RESPONSE,
} from "./spec.ts";

export interface StaticDh {
  readonly peerPublicKey: Uint8Array;
  readonly out: Uint8Array;
  /** Whose static key it is, if it is one: the result is the same each time. */
  readonly known?: StaticSecret | undefined;
}

/** Who remembers the Diffie-Hellman of its static key and the interface's, in secret memory. */
export interface StaticSecret {
  staticSecret: KeySlot | undefined;
}

/** Runs until a result; undefined means refused or impossible. */
export type Steps<Result> = Generator<StaticDh, Result, boolean>;

/** State between two messages of a handshake. Its secrets lie in two slots; `release` wipes them. */
export class Handshake {
  readonly chainKey: Uint8Array;
  readonly hash: Uint8Array;
  readonly ephemeral: Uint8Array;
  /** Diffie-Hellman results and the keys of single messages. */
  readonly temp: Uint8Array;
  readonly remoteEphemeral: Uint8Array = new Uint8Array(KEY_LENGTH);
  localIndex = 0;
  remoteIndex = 0;
  readonly #pool: KeyPool;
  readonly #slots: readonly [KeySlot, KeySlot];
  #released = false;

  private constructor(pool: KeyPool, slots: readonly [KeySlot, KeySlot]) {
    this.#pool = pool;
    this.#slots = slots;
    this.chainKey = slots[0].first;
    this.hash = slots[0].second;
    this.ephemeral = slots[1].first;
    this.temp = slots[1].second;
  }

  /** Undefined if the pool is exhausted. */
  static take(pool: KeyPool): Handshake | undefined {
    const first = pool.take();
    if (first === undefined) return undefined;
    const second = pool.take();
    if (second === undefined) {
      pool.release(first);
      return undefined;
    }
    return new Handshake(pool, [first, second]);
  }

  get released(): boolean {
    return this.#released;
  }

  release(): void {
    if (this.#released) return;
    this.#released = true;
    for (const slot of this.#slots) this.#pool.release(slot);
  }
}

/** What an initiation said, once it was authenticated. */
export interface ReadInitiation<Known> {
  readonly peer: Known;
  readonly timestamp: Uint8Array;
}

const EMPTY = new Uint8Array(0);

export class Noise {
  readonly #crypto: Crypto;
  readonly #kdf: Kdf;
  readonly #random: (out: Uint8Array) => void;
  readonly #initialChainKey = new Uint8Array(KEY_LENGTH);
  readonly #initialHash = new Uint8Array(KEY_LENGTH);

  constructor(parts: { crypto: Crypto; kdf: Kdf; random: (out: Uint8Array) => void }) {
    this.#crypto = parts.crypto;
    this.#kdf = parts.kdf;
    this.#random = parts.random;
    const text = new TextEncoder();
    this.#crypto.hash(this.#initialChainKey, text.encode(CONSTRUCTION), EMPTY);
    this.#crypto.hash(this.#initialHash, this.#initialChainKey, text.encode(IDENTIFIER));
  }

  /** Fills `message` but its MACs; sets the state to go on with the response. */
  *createInitiation(
    state: Handshake,
    message: Uint8Array,
    parts: {
      ownPublicKey: Uint8Array;
      peerPublicKey: Uint8Array;
      known?: StaticSecret;
      writeTimestamp: (out: Uint8Array) => void;
    },
  ): Steps<boolean> {
    const { chainKey, hash, temp } = state;
    message.fill(0);
    message[0] = TYPE_INITIATION;
    new DataView(message.buffer, message.byteOffset).setUint32(4, state.localIndex, true);
    this.#begin(state, parts.peerPublicKey);

    const ephemeral = message.subarray(8, 40);
    const key = this.#newEphemeral(state, ephemeral);
    this.#kdf.derive([chainKey], chainKey, ephemeral);

    const agreed = key.dh(temp, parts.peerPublicKey);
    key.release();
    if (!agreed) return false;
    this.#kdf.derive([chainKey, temp], chainKey, temp);
    const sealedStatic = message.subarray(40, 88);
    this.#crypto.seal(sealedStatic, temp, parts.ownPublicKey, hash);
    this.#mix(hash, sealedStatic);

    const { peerPublicKey, known } = parts;
    if (!(yield { peerPublicKey, out: temp, known })) return false;
    this.#kdf.derive([chainKey, temp], chainKey, temp);
    const timestamp = new Uint8Array(TIMESTAMP_LENGTH);
    parts.writeTimestamp(timestamp);
    const sealedTimestamp = message.subarray(88, 116);
    this.#crypto.seal(sealedTimestamp, temp, timestamp, hash);
    this.#mix(hash, sealedTimestamp);
    temp.fill(0);
    return true;
  }

  /** Reads an initiation; the state is then ready for `createResponse`. */
  *consumeInitiation<Known extends StaticSecret>(
    state: Handshake,
    message: Uint8Array,
    parts: {
      ownPublicKey: Uint8Array;
      findPeer: (publicKey: Uint8Array) => Known | undefined;
    },
  ): Steps<ReadInitiation<Known> | undefined> {
    if (message.length !== INITIATION_LENGTH) return undefined;
    const { chainKey, hash, temp } = state;
    this.#begin(state, parts.ownPublicKey);
    const ephemeral = message.subarray(8, 40);
    state.remoteEphemeral.set(ephemeral);
    state.remoteIndex = new DataView(message.buffer, message.byteOffset).getUint32(4, true);
    this.#mix(hash, ephemeral);
    this.#kdf.derive([chainKey], chainKey, ephemeral);

    if (!(yield { peerPublicKey: state.remoteEphemeral, out: temp })) return undefined;
    this.#kdf.derive([chainKey, temp], chainKey, temp);
    const sealedStatic = message.subarray(40, 88);
    const peerPublicKey = new Uint8Array(KEY_LENGTH);
    if (!this.#crypto.open(peerPublicKey, temp, sealedStatic, hash)) return undefined;
    this.#mix(hash, sealedStatic);
    const peer = parts.findPeer(peerPublicKey);
    if (peer === undefined) return undefined;

    if (!(yield { peerPublicKey, out: temp, known: peer })) return undefined;
    this.#kdf.derive([chainKey, temp], chainKey, temp);
    const sealedTimestamp = message.subarray(88, 116);
    const timestamp = new Uint8Array(TIMESTAMP_LENGTH);
    if (!this.#crypto.open(timestamp, temp, sealedTimestamp, hash)) return undefined;
    this.#mix(hash, sealedTimestamp);
    temp.fill(0);
    return { peer, timestamp };
  }

  /** Fills `message` but its MACs; `deriveKeys` may follow. Needs no static key. */
  createResponse(
    state: Handshake,
    message: Uint8Array,
    parts: { peerPublicKey: Uint8Array; presharedKey: Uint8Array },
  ): boolean {
    const { chainKey, hash, temp } = state;
    message.fill(0);
    message[0] = TYPE_RESPONSE;
    const view = new DataView(message.buffer, message.byteOffset);
    view.setUint32(4, state.localIndex, true);
    view.setUint32(8, state.remoteIndex, true);

    const ephemeral = message.subarray(12, 44);
    const own = this.#newEphemeral(state, ephemeral);
    this.#kdf.derive([chainKey], chainKey, ephemeral);
    const agreed = [state.remoteEphemeral, parts.peerPublicKey].every((publicKey) => {
      if (!own.dh(temp, publicKey)) return false;
      this.#kdf.derive([chainKey], chainKey, temp);
      return true;
    });
    own.release();
    if (!agreed) return false;

    const key = this.#mixPresharedKey(state, parts.presharedKey);
    const sealedNothing = message.subarray(44, 60);
    this.#crypto.seal(sealedNothing, key, EMPTY, hash);
    this.#mix(hash, sealedNothing);
    temp.fill(0);
    return true;
  }

  /**
   * Reads a response to `sent` into `state`, a state of its own, so that a forged response changes
   * nothing in the handshake that it pretends to answer.
   */
  *consumeResponse(
    state: Handshake,
    message: Uint8Array,
    parts: { sent: Handshake; presharedKey: Uint8Array },
  ): Steps<boolean> {
    if (message.length !== RESPONSE_LENGTH) return false;
    const { chainKey, hash, temp } = state;
    chainKey.set(parts.sent.chainKey);
    hash.set(parts.sent.hash);
    state.ephemeral.set(parts.sent.ephemeral);
    state.localIndex = parts.sent.localIndex;
    state.remoteIndex = new DataView(message.buffer, message.byteOffset).getUint32(4, true);
    const ephemeral = message.subarray(12, 44);
    state.remoteEphemeral.set(ephemeral);
    this.#mix(hash, ephemeral);
    this.#kdf.derive([chainKey], chainKey, ephemeral);

    if (!this.#crypto.dh(temp, state.ephemeral, state.remoteEphemeral)) return false;
    this.#kdf.derive([chainKey], chainKey, temp);
    if (!(yield { peerPublicKey: state.remoteEphemeral, out: temp })) return false;
    this.#kdf.derive([chainKey], chainKey, temp);

    const key = this.#mixPresharedKey(state, parts.presharedKey);
    const sealedNothing = message.subarray(44, 60);
    if (!this.#crypto.open(new Uint8Array(0), key, sealedNothing, hash)) return false;
    temp.fill(0);
    return true;
  }

  /** The two keys of the session (5.4.5), in the order that suits our role. */
  deriveKeys(state: Handshake, slot: KeySlot, initiator: boolean): void {
    const outs = initiator ? [slot.first, slot.second] : [slot.second, slot.first];
    this.#kdf.derive(outs, state.chainKey, EMPTY);
  }

  #begin(state: Handshake, responderPublicKey: Uint8Array): void {
    state.chainKey.set(this.#initialChainKey);
    this.#crypto.hash(state.hash, this.#initialHash, responderPublicKey);
  }

  /** The caller releases the key. */
  #newEphemeral(state: Handshake, publicOut: Uint8Array): PrivateKey {
    this.#random(state.ephemeral);
    state.ephemeral[0] = (state.ephemeral[0] ?? 0) & 248;
    state.ephemeral[31] = ((state.ephemeral[31] ?? 0) & 127) | 64;
    const key = this.#crypto.privateKey(state.ephemeral);
    key.publicKey(publicOut);
    this.#mix(state.hash, publicOut);
    return key;
  }

  /** Returns the key of the message that follows; it lies in `temp`. */
  #mixPresharedKey(state: Handshake, presharedKey: Uint8Array): Uint8Array {
    // The ephemeral private key has done its work by now: its place serves for tau.
    const tau = state.ephemeral;
    this.#kdf.derive([state.chainKey, tau, state.temp], state.chainKey, presharedKey);
    this.#mix(state.hash, tau);
    tau.fill(0);
    return state.temp;
  }

  #mix(hash: Uint8Array, data: Uint8Array): void {
    this.#crypto.hash(hash, hash, data);
  }
}
