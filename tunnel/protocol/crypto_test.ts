import assert from "node:assert/strict";
import fc from "fast-check";
import { chacha20poly1305 } from "@noble/ciphers/chacha.js";
import { Libcrypto } from "../../os/libcrypto.ts";
import vectors from "../../tests/vectors/wireguard_crypto.json" with { type: "json" };
import { CRYPTOS, NATIVE_CRYPTOS } from "./every_crypto.ts";
import { Kdf } from "./kdf.ts";
import { KeyPool } from "./key_pool.ts";
import { nobleCrypto } from "./noble.ts";

const [native] = NATIVE_CRYPTOS;
const hex = (text: string) => Uint8Array.fromHex(text);
const filled = (length: number, write: (out: Uint8Array) => void) => {
  const out = new Uint8Array(length);
  write(out);
  return out.toHex();
};
const bytes = (most: number) => fc.uint8Array({ maxLength: most });
const key = fc.uint8Array({ minLength: 32, maxLength: 32 });

for (const crypto of CRYPTOS) {
  Deno.test(`published vectors (${crypto.name})`, () => {
    for (const { privateKey, publicKey, shared } of vectors.x25519) {
      assert.equal(
        filled(32, (out) => assert.ok(crypto.dh(out, hex(privateKey), hex(publicKey)))),
        shared,
      );
    }
    for (const { data, hash } of vectors.blake2s) {
      const both = hex(data);
      const half = both.length >> 1;
      assert.equal(
        filled(32, (out) => crypto.hash(out, both.subarray(0, half), both.subarray(half))),
        hash,
      );
    }
    for (const { key, data, mac } of vectors.blake2sMac) {
      assert.equal(filled(16, (out) => crypto.mac(out, hex(key), hex(data))), mac);
    }
    for (const { key, data, mac } of vectors.hmacBlake2s) {
      assert.equal(filled(32, (out) => crypto.hmac(out, hex(key), hex(data))), mac);
    }
    for (const { key, nonce, ad, plaintext, sealed } of vectors.xchacha20poly1305) {
      const parts = { key: hex(key), nonce: hex(nonce), ad: hex(ad) };
      const length = sealed.length / 2;
      const made = filled(length, (out) => {
        crypto.xseal(out, { ...parts, plaintext: hex(plaintext) });
      });
      assert.equal(made, sealed);
      const opened = filled(length - 16, (out) => {
        assert.ok(crypto.xopen(out, { ...parts, sealed: hex(sealed) }));
      });
      assert.equal(opened, plaintext);
    }
  });

  Deno.test(`HKDF as WireGuard uses it (${crypto.name})`, () => {
    const pool = new KeyPool(new Uint8Array(256));
    const [first, second] = [pool.take(), pool.take()];
    assert.ok(first !== undefined && second !== undefined);
    const kdf = new Kdf(crypto, [first, second]);
    for (const { key, input, outputs } of vectors.hkdf.cases) {
      for (let count = 1; count <= 3; count++) {
        const outs = Array.from({ length: count }, () => new Uint8Array(32));
        kdf.derive(outs, hex(key), hex(input));
        assert.deepEqual(outs.map((out) => out.toHex()), outputs.slice(0, count));
      }
    }
    assert.ok(first.bytes.every((byte) => byte === 0) && second.bytes.every((byte) => byte === 0));
  });

  Deno.test(`points of low order are refused (${crypto.name})`, () => {
    for (const publicKey of vectors.x25519LowOrder.publicKeys) {
      const privateKey = new Uint8Array(32).fill(0x55);
      assert.equal(crypto.dh(new Uint8Array(32), privateKey, hex(publicKey)), false, publicKey);
    }
  });

  Deno.test(`packets in an arena: sealed as RFC 8439 says, opened once unchanged (${crypto.name})`, () => {
    const arena = new Uint8Array(65536);
    const aead = crypto.transport(arena);
    // Another one: it must have the key from its own call, not from a sealing before.
    const opener = crypto.transport(arena);
    fc.assert(
      fc.property(
        key,
        bytes(2000),
        fc.maxSafeNat(),
        fc.nat(1000),
        fc.nat(),
        (key, plaintext, counter, place, broken) => {
          const offset = place * 16;
          const { length } = plaintext;
          arena.fill(0xaa);
          arena.set(plaintext, offset);
          aead.seal(key, counter, offset, length);
          const nonce = new Uint8Array(12);
          new DataView(nonce.buffer).setBigUint64(4, BigInt(counter), true);
          const expected = chacha20poly1305(key, nonce).encrypt(plaintext);
          assert.deepEqual(arena.slice(offset, offset + length + 16), expected);
          assert.equal(arena[offset + length + 16], 0xaa, "nothing behind it");
          assert.ok(opener.open(key, counter, offset, length));
          assert.deepEqual(arena.slice(offset, offset + length), plaintext);
          arena.set(expected, offset);
          const at = offset + broken % (length + 16);
          arena[at] = (arena[at] ?? 0) ^ 1;
          assert.equal(opener.open(key, counter, offset, length), false);
          aead.forget();
          opener.forget();
        },
      ),
      { numRuns: 200 },
    );
  });
}

if (native !== undefined) {
  Deno.test("libcrypto: the vector of RFC 8439 with additional data", () => {
    const library = Libcrypto.open();
    assert.ok(library !== undefined);
    for (const { key, nonce, ad, plaintext, sealed } of vectors.chacha20poly1305) {
      const parts = { key: hex(key), nonce: hex(nonce), ad: hex(ad) };
      const made = filled(sealed.length / 2, (out) => {
        library.seal(out, { ...parts, plaintext: hex(plaintext) });
      });
      assert.equal(made, sealed);
      const opened = filled(plaintext.length / 2, (out) => {
        assert.ok(library.open(out, { ...parts, sealed: hex(sealed) }));
      });
      assert.equal(opened, plaintext);
    }
    library.close();
  });

  Deno.test("libcrypto and noble agree", () => {
    fc.assert(
      fc.property(key, key, bytes(120), bytes(120), (a, b, data, ad) => {
        const results = [native, nobleCrypto].map((crypto) => [
          filled(32, (out) => crypto.publicKey(out, a)),
          filled(32, (out) => crypto.dh(out, a, b)),
          filled(32, (out) => crypto.hash(out, data, ad)),
          filled(32, (out) => crypto.hmac(out, a, data)),
          filled(data.length + 16, (out) => crypto.seal(out, a, data, ad)),
        ]);
        assert.deepEqual(results[0], results[1]);
        const sealed = new Uint8Array(data.length + 16);
        native.seal(sealed, a, data, ad);
        const opened = new Uint8Array(data.length);
        assert.ok(nobleCrypto.open(opened, a, sealed, ad));
        assert.deepEqual(opened, data);
        assert.equal(native.open(opened, b, sealed, ad), a.every((byte, at) => byte === b[at]));
      }),
      { numRuns: 100 },
    );
  });
}
