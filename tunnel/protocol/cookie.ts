/** MAC1, MAC2 and cookies (whitepaper 5.3, 5.4.4 and 5.4.7). */
import type { Crypto } from "./crypto.ts";
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

/** Checks the MACs of what arrives for us, and answers with cookies. */
export class CookieChecker {
  readonly #crypto: Crypto;
  readonly #random: (out: Uint8Array) => void;
  readonly #mac1Key: Uint8Array;
  readonly #cookieKey: Uint8Array;
  readonly #secret = new Uint8Array(KEY_LENGTH);
  #secretMadeAt = -Infinity;
  readonly #computed = new Uint8Array(MAC_LENGTH);

  constructor(
    ownPublicKey: Uint8Array,
    parts: { crypto: Crypto; random: (out: Uint8Array) => void },
  ) {
    this.#crypto = parts.crypto;
    this.#random = parts.random;
    this.#mac1Key = labelled(parts.crypto, LABEL_MAC1, ownPublicKey);
    this.#cookieKey = labelled(parts.crypto, LABEL_COOKIE, ownPublicKey);
  }

  checkMac1(message: Uint8Array): boolean {
    const at = message.length - 2 * MAC_LENGTH;
    this.#crypto.mac(this.#computed, this.#mac1Key, message.subarray(0, at));
    return equal(this.#computed, message.subarray(at, at + MAC_LENGTH));
  }

  /** `source`: address and port of the sender, as bytes. */
  checkMac2(message: Uint8Array, source: Uint8Array, now: number): boolean {
    if (now - this.#secretMadeAt >= SECRET_LIFETIME) return false;
    const at = message.length - MAC_LENGTH;
    this.#crypto.mac(this.#computed, this.#cookieFor(source), message.subarray(0, at));
    return equal(this.#computed, message.subarray(at));
  }

  /** A cookie reply to `message`. */
  createReply(message: Uint8Array, source: Uint8Array, now: number): Uint8Array {
    if (now - this.#secretMadeAt >= SECRET_LIFETIME) {
      this.#random(this.#secret);
      this.#secretMadeAt = now;
    }
    const reply = new Uint8Array(COOKIE_REPLY_LENGTH);
    reply[0] = TYPE_COOKIE_REPLY;
    reply.set(message.subarray(4, 8), 4);
    const nonce = reply.subarray(8, 32);
    this.#random(nonce);
    const at = message.length - 2 * MAC_LENGTH;
    this.#crypto.xseal(reply.subarray(32), {
      key: this.#cookieKey,
      nonce,
      plaintext: this.#cookieFor(source),
      ad: message.subarray(at, at + MAC_LENGTH),
    });
    return reply;
  }

  #cookieFor(source: Uint8Array): Uint8Array {
    const cookie = new Uint8Array(MAC_LENGTH);
    this.#crypto.mac(cookie, this.#secret, source);
    return cookie;
  }
}

/** Adds MACs to what we send to one peer, and keeps the cookie that it gave us. */
export class CookieGenerator {
  readonly #crypto: Crypto;
  readonly #mac1Key: Uint8Array;
  readonly #cookieKey: Uint8Array;
  readonly #lastMac1 = new Uint8Array(MAC_LENGTH);
  #sentMac1 = false;
  readonly #cookie = new Uint8Array(MAC_LENGTH);
  #cookieAt = -Infinity;

  constructor(peerPublicKey: Uint8Array, crypto: Crypto) {
    this.#crypto = crypto;
    this.#mac1Key = labelled(crypto, LABEL_MAC1, peerPublicKey);
    this.#cookieKey = labelled(crypto, LABEL_COOKIE, peerPublicKey);
  }

  addMacs(message: Uint8Array, now: number): void {
    const at = message.length - 2 * MAC_LENGTH;
    this.#crypto.mac(this.#lastMac1, this.#mac1Key, message.subarray(0, at));
    message.set(this.#lastMac1, at);
    this.#sentMac1 = true;
    if (now - this.#cookieAt >= COOKIE_LIFETIME) return;
    const mac2 = message.subarray(at + MAC_LENGTH);
    this.#crypto.mac(mac2, this.#cookie, message.subarray(0, at + MAC_LENGTH));
  }

  /** Takes the cookie out of a reply; false if it isn't an answer to our last message. */
  consumeReply(reply: Uint8Array, now: number): boolean {
    if (reply.length !== COOKIE_REPLY_LENGTH || !this.#sentMac1) return false;
    const opened = this.#crypto.xopen(this.#cookie, {
      key: this.#cookieKey,
      nonce: reply.subarray(8, 32),
      sealed: reply.subarray(32),
      ad: this.#lastMac1,
    });
    if (opened) this.#cookieAt = now;
    return opened;
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
