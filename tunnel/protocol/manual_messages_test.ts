import assert from "node:assert/strict";
import { chacha20poly1305 } from "@noble/ciphers/chacha.js";
import { blake2s } from "@noble/hashes/blake2.js";
import { hmac } from "@noble/hashes/hmac.js";
import type { Crypto } from "./crypto.ts";
import { CRYPTOS } from "./every_crypto.ts";
import { Handshake, Noise } from "./handshake.ts";
import { Kdf } from "./kdf.ts";
import { KeyPool } from "./key_pool.ts";
import { ManualMessages, type ManualWay } from "./manual_messages.ts";
import { ANNOUNCEMENT_LENGTH, ANSWER_LENGTH } from "./manual_spec.ts";

const A = new Uint8Array(32).fill(1);
const B = new Uint8Array(32).fill(2);
const KEY = new Uint8Array(32).fill(3);
const WAY: ManualWay = { manualKey: KEY, sender: A, receiver: B };
const TIME = Uint8Array.fromHex("400000006553f10000000000");

/** Messages whose randomness is this byte, over and over. */
function messagesWith(crypto: Crypto, random = 9) {
  const pool = new KeyPool(new Uint8Array(64 * 32));
  const slot = () => {
    const taken = pool.take();
    if (taken === undefined) throw new Error("Cannot test: the pool is too small");
    return taken;
  };
  const state = () => {
    const taken = Handshake.take(pool);
    if (taken === undefined) throw new Error("Cannot test: the pool is too small");
    return taken;
  };
  const kdf = new Kdf(crypto, [slot(), slot()]);
  const parts = { crypto, kdf, random: (out: Uint8Array) => void out.fill(random) };
  return { messages: new ManualMessages(parts), noise: new Noise(parts), state, slot };
}

function announce(crypto: Crypto, { random = 9, timestamp = TIME, way = WAY } = {}) {
  const side = messagesWith(crypto, random);
  const state = side.state();
  state.localIndex = 0x01020304;
  const message = new Uint8Array(ANNOUNCEMENT_LENGTH);
  const earlyKey = new Uint8Array(32);
  const index = side.messages.createAnnouncement(state, message, { ...way, timestamp, earlyKey });
  return { ...side, sent: state, message, earlyKey, index };
}

function answer(crypto: Crypto, message: Uint8Array, random = 7) {
  const side = messagesWith(crypto, random);
  const state = side.state();
  const earlyKey = new Uint8Array(32);
  const read = side.messages.consumeAnnouncement(state, message, { ...WAY, earlyKey });
  const reply = new Uint8Array(ANSWER_LENGTH);
  state.localIndex = 0x05060708;
  side.messages.createAnswer(state, reply, TIME);
  const keys = side.slot();
  side.noise.deriveKeys(state, keys, false);
  return { read, earlyKey, reply, keys };
}

for (const crypto of CRYPTOS) {
  Deno.test(`manual messages: both sides come to the same keys, and each key is one side's (${crypto.name})`, () => {
    const a = announce(crypto);
    const b = answer(crypto, a.message);
    assert.deepEqual(b.read, { timestamp: TIME, index: a.index });
    assert.deepEqual(b.earlyKey, a.earlyKey);
    const state = a.state();
    assert.ok(a.messages.consumeAnswer(state, b.reply, a.sent));
    const keys = a.slot();
    a.noise.deriveKeys(state, keys, true);
    assert.deepEqual([keys.first, keys.second], [b.keys.second, b.keys.first]);
    assert.equal(state.remoteIndex, 0x05060708);
    const all = [a.earlyKey, keys.first, keys.second].map((key) => key.toHex());
    assert.equal(new Set(all).size, 3);
  });

  Deno.test(`manual messages: they are what manual_spec.ts says (${crypto.name})`, () => {
    const { message, earlyKey, index } = announce(crypto);
    const expected = bySpec();
    assert.equal(message.subarray(0, 84).toHex(), expected.message.toHex());
    assert.equal(earlyKey.toHex(), expected.earlyKey.toHex());
    assert.equal(index, expected.index);
  });

  Deno.test(`manual messages: any nonce of either side makes other keys (${crypto.name})`, () => {
    const later = TIME.slice();
    later[11] = 1;
    const early = [{}, { random: 8 }, { timestamp: later }].map((parts) => {
      const { earlyKey, message } = announce(crypto, parts);
      return [earlyKey.toHex(), message.subarray(8, 40).toHex(), message.subarray(40, 56).toHex()];
    });
    for (const part of [0, 1, 2]) assert.equal(new Set(early.map((one) => one[part])).size, 3);
    // The same announcement, answered twice by the same index: as after a crash and a replay.
    const { message } = announce(crypto);
    const keys = [7, 6].map((random) => answer(crypto, message, random).keys);
    assert.notDeepEqual(keys[0]?.first, keys[1]?.first);
    assert.notDeepEqual(keys[0]?.second, keys[1]?.second);
  });

  Deno.test(`manual messages: another way, another key, any bit: refused (${crypto.name})`, () => {
    const a = announce(crypto);
    const { messages, state } = messagesWith(crypto);
    const room = state();
    const opens = (message: Uint8Array, way: ManualWay) =>
      messages.consumeAnnouncement(room, message, { ...way, earlyKey: new Uint8Array(32) });
    const back = { manualKey: KEY, sender: B, receiver: A };
    const other = { ...WAY, manualKey: new Uint8Array(32).fill(4) };
    assert.ok(opens(a.message, WAY));
    for (const way of [back, other]) {
      assert.equal(opens(a.message, way), undefined);
      assert.notDeepEqual(messages.keyId(room, way), messages.keyId(room, WAY));
    }
    assert.deepEqual(messages.readKeyId(a.message, B), messages.keyId(room, WAY));
    const { reply } = answer(crypto, a.message);
    for (let bit = 0; bit < 84 * 8; bit += 3) {
      const changed = a.message.slice();
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      assert.equal(opens(changed, WAY), undefined, `bit ${bit} of the announcement`);
      if (bit >= 60 * 8) continue;
      const forged = reply.slice();
      forged[bit >> 3] = (forged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      assert.ok(!messages.consumeAnswer(room, forged, a.sent), `bit ${bit} of the answer`);
    }
  });
}

/** The announcement by the text, with nothing of the code that makes it. */
function bySpec() {
  const hash = (...parts: Uint8Array[]) => blake2s(join(...parts));
  const hkdf = (chain: Uint8Array, input: Uint8Array, count: number) => {
    const extracted = hmac(blake2s, chain, input);
    const outs: Uint8Array[] = [];
    for (let n = 1; n <= count; n++) {
      outs.push(hmac(blake2s, extracted, join(outs.at(-1) ?? new Uint8Array(0), Uint8Array.of(n))));
    }
    return outs;
  };
  const text = (words: string) => new TextEncoder().encode(words);
  const none = new Uint8Array(0);
  const [c0 = none] = hkdf(hash(text("Sekisho manual keys 1, ChaChaPoly_BLAKE2s")), KEY, 1);
  const h0 = hash(A, B);
  const [id = none, c1 = none, hedge = none] = hkdf(c0, h0, 3);
  const [nonce = none] = hkdf(hedge, join(new Uint8Array(32).fill(9), TIME), 1);
  const mask = blake2s(nonce, { key: hash(text("key-id--"), B), dkLen: 16 });
  const masked = id.slice(0, 16).map((byte, at) => byte ^ (mask[at] ?? 0));
  const header = Uint8Array.of(128, 0, 0, 0, 4, 3, 2, 1);
  const h1 = hash(hash(hash(h0, header), nonce), masked);
  const [sealKey = none, earlyKey = none, , index = none] = hkdf(c1, h1, 4);
  const sealed = chacha20poly1305(sealKey, new Uint8Array(12), h1).encrypt(TIME);
  return {
    message: join(header, nonce, masked, sealed),
    earlyKey,
    index: new DataView(index.buffer, index.byteOffset).getUint32(0, true),
  };
}

function join(...parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}
