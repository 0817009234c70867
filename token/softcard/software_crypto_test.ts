import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { softwareCrypto } from "./software_crypto.ts";

Deno.test("one block of each cipher: NIST SP 800-67 and FIPS 197 examples", () => {
  const vectors = [
    {
      algorithm: "3DES",
      key: "0123456789abcdef23456789abcdef01456789abcdef0123",
      plain: "5468652071756663",
      cipher: "a826fd8ce53b855f",
    },
    {
      algorithm: "AES-128",
      key: "000102030405060708090a0b0c0d0e0f",
      plain: "00112233445566778899aabbccddeeff",
      cipher: "69c4e0d86a7b0430d8cdb78070b4c55a",
    },
    {
      algorithm: "AES-192",
      key: "000102030405060708090a0b0c0d0e0f1011121314151617",
      plain: "00112233445566778899aabbccddeeff",
      cipher: "dda97ca4864cdfe06eaf70a0ec0d7191",
    },
    {
      algorithm: "AES-256",
      key: "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
      plain: "00112233445566778899aabbccddeeff",
      cipher: "8ea2b7ca516745bfeafc49904b496089",
    },
  ] as const;
  for (const { algorithm, key, plain, cipher } of vectors) {
    const bytes = hex(key);
    assert.deepEqual(
      softwareCrypto.block("encrypt", { algorithm, bytes }, hex(plain)),
      hex(cipher),
    );
    assert.deepEqual(
      softwareCrypto.block("decrypt", { algorithm, bytes }, hex(cipher)),
      hex(plain),
    );
  }
});

Deno.test("scrypt: RFC 7914 section 12, first 32 bytes", () => {
  const key = softwareCrypto.deriveKey(
    new TextEncoder().encode("password"),
    new TextEncoder().encode("NaCl"),
    { N: 1024, r: 8, p: 16 },
  );
  assert.deepEqual(key, hex("fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162"));
});

function hex(digits: string): Uint8Array {
  return new Uint8Array(Buffer.from(digits, "hex"));
}
