/** MAC1, MAC2 and cookies (whitepaper 5.3, 5.4.4 and 5.4.7). */
import type { Crypto } from "./crypto.ts";
import type { Endpoint } from "./endpoint.ts";
import {
  COOKIE_LIFETIME,
  COOKIE_REPLY_LENGTH,
  KEY_LENGTH,
  LABEL_COOKIE,
  LABEL_MAC1,
  MAC_LENGTH,
  TYPE_COOKIE_REPLY,
} from "./spec.ts";

const SECRET_LIFETIME = 120_000;

/**
 * Where a handshake message that arrived is looked at, with views of what its MACs cover: made once,
 * so that refusing a forged one takes no memory.
 */
export class ReceivedMessage {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** What MAC1 covers, and MAC1; what MAC2 covers, and MAC2. */
  readonly forMac1: Uint8Array;
  readonly mac1: Uint8Array;
  readonly forMac2: Uint8Array;
  readonly mac2: Uint8Array;

  constructor(length: number) {
    this.bytes = new Uint8Array(length);
    this.forMac1 = this.bytes.subarray(0, length - 2 * MAC_LENGTH);
    this.mac1 = this.bytes.subarray(length - 2 * MAC_LENGTH, length - MAC_LENGTH);
    this.forMac2 = this.bytes.subarray(0, length - MAC_LENGTH);
    this.mac2 = this.bytes.subarray(length - MAC_LENGTH);
  }

  /** Takes the message that lies in `arena` at `offset`. */
  read(arena: Uint8Array, offset: number): void {
    const { bytes } = this;
    for (let index = 0; index < bytes.length; index++) bytes[index] = arena[offset + index] ?? 0;
  }
}

/** Checks the MACs of what arrives for us, and answers with cookies. */
export class CookieChecker {
  readonly #crypto: Crypto;
  readonly #random: (out: Uint8Array) => void;
  readonly #mac1Key: Uint8Array;
  readonly #cookieKey: Uint8Array;
  readonly #secret = new Uint8Array(KEY_LENGTH);
  #secretMadeAt = -Infinity;
  readonly #computed = new Uint8Array(MAC_LENGTH);
  readonly #cookie = new Uint8Array(MAC_LENGTH);
  /** The sender's address and port. */
  readonly #source4 = new Uint8Array(6);
  readonly #source6 = new Uint8Array(18);

  constructor(
    ownPublicKey: Uint8Array,
    parts: { crypto: Crypto; random: (out: Uint8Array) => void },
  ) {
    this.#crypto = parts.crypto;
    this.#random = parts.random;
    this.#mac1Key = labelled(parts.crypto, LABEL_MAC1, ownPublicKey);
    this.#cookieKey = labelled(parts.crypto, LABEL_COOKIE, ownPublicKey);
  }

  checkMac1(message: ReceivedMessage): boolean {
    this.#crypto.mac(this.#computed, this.#mac1Key, message.forMac1);
    return equal(this.#computed, message.mac1);
  }

  checkMac2(message: ReceivedMessage, source: Endpoint, now: number): boolean {
    if (now - this.#secretMadeAt >= SECRET_LIFETIME) return false;
    this.#crypto.mac(this.#computed, this.#cookieFor(source), message.forMac2);
    return equal(this.#computed, message.mac2);
  }

  /** A cookie reply to `message`. */
  createReply(message: ReceivedMessage, source: Endpoint, now: number): Uint8Array {
    if (now - this.#secretMadeAt >= SECRET_LIFETIME) {
      this.#random(this.#secret);
      this.#secretMadeAt = now;
    }
    const reply = new Uint8Array(COOKIE_REPLY_LENGTH);
    reply[0] = TYPE_COOKIE_REPLY;
    for (let index = 4; index < 8; index++) reply[index] = message.bytes[index] ?? 0;
    const nonce = reply.subarray(8, 32);
    this.#random(nonce);
    this.#crypto.xseal(reply.subarray(32), {
      key: this.#cookieKey,
      nonce,
      plaintext: this.#cookieFor(source),
      ad: message.mac1,
    });
    return reply;
  }

  /** Valid until the next call. */
  #cookieFor(source: Endpoint): Uint8Array {
    const bytes = source.family === 4 ? this.#source4 : this.#source6;
    source.writeSource(bytes);
    this.#crypto.mac(this.#cookie, this.#secret, bytes);
    return this.#cookie;
  }
}

/**
 * Adds MACs to what we send to one peer, and keeps the cookie that it gave us. Everything is made
 * when the first message goes out: most configured peers never hear from us first.
 */
export class CookieGenerator {
  readonly #crypto: Crypto;
  readonly #peerPublicKey: Uint8Array;
  #mac1Key: Uint8Array | undefined;
  #lastMac1: Uint8Array | undefined;
  #cookie: Uint8Array | undefined;
  #cookieAt = -Infinity;

  /** `peerPublicKey` is kept. */
  constructor(peerPublicKey: Uint8Array, crypto: Crypto) {
    this.#crypto = crypto;
    this.#peerPublicKey = peerPublicKey;
  }

  addMacs(message: Uint8Array, now: number): void {
    const at = message.length - 2 * MAC_LENGTH;
    this.#mac1Key ??= labelled(this.#crypto, LABEL_MAC1, this.#peerPublicKey);
    this.#lastMac1 ??= new Uint8Array(MAC_LENGTH);
    this.#crypto.mac(this.#lastMac1, this.#mac1Key, message.subarray(0, at));
    message.set(this.#lastMac1, at);
    if (this.#cookie === undefined || now - this.#cookieAt >= COOKIE_LIFETIME) return;
    const mac2 = message.subarray(at + MAC_LENGTH);
    this.#crypto.mac(mac2, this.#cookie, message.subarray(0, at + MAC_LENGTH));
  }

  /** Takes the cookie out of a reply; false if it isn't an answer to our last message. */
  consumeReply(reply: Uint8Array, now: number): boolean {
    if (reply.length !== COOKIE_REPLY_LENGTH || this.#lastMac1 === undefined) return false;
    const cookie = new Uint8Array(MAC_LENGTH);
    const opened = this.#crypto.xopen(cookie, {
      key: labelled(this.#crypto, LABEL_COOKIE, this.#peerPublicKey),
      nonce: reply.subarray(8, 32),
      sealed: reply.subarray(32),
      ad: this.#lastMac1,
    });
    if (!opened) return false;
    this.#cookie = cookie;
    this.#cookieAt = now;
    return true;
  }
}

function labelled(crypto: Crypto, label: string, publicKey: Uint8Array): Uint8Array {
  const key = new Uint8Array(KEY_LENGTH);
  crypto.hash(key, new TextEncoder().encode(label), publicKey);
  return key;
}

/** Compares all bytes, whatever the first ones are. */
function equal(a: Uint8Array, b: Uint8Array): boolean {
  let difference = a.length ^ b.length;
  for (let index = 0; index < MAC_LENGTH; index++) difference |= (a[index] ?? 0) ^ (b[index] ?? 0);
  return difference === 0;
}
