import assert from "node:assert/strict";
import fc from "fast-check";
import { decodeBech32, encodeBech32 } from "./bech32.ts";

const bytes32 = fc.uint8Array({ minLength: 32, maxLength: 32 });
const KIND = { prefix: "AGE-SECRET-KEY-", length: 32 };

/** C2SP age, "The X25519 recipient type": an identity and its recipient. */
const IDENTITY = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";
const RECIPIENT = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj";

Deno.test("an identity of age's own is read", () => {
  const secret = decodeBech32(new TextEncoder().encode(IDENTITY), KIND);
  assert.deepEqual(secret, new Uint8Array(32).fill(0x42));
});

Deno.test("a recipient is written as age writes it", async () => {
  const { x25519 } = await import("@noble/curves/ed25519.js");
  const publicKey = x25519.getPublicKey(new Uint8Array(32).fill(0x42));
  assert.equal(encodeBech32("age", publicKey), RECIPIENT);
});

Deno.test("what is written is read again, and nothing near it", () => {
  fc.assert(fc.property(bytes32, fc.nat(), fc.nat(31), (secret, place, letter) => {
    const line = new TextEncoder().encode(encodeBech32("age-secret-key-", secret).toUpperCase());
    assert.deepEqual(decodeBech32(line, KIND), secret);
    assert.equal(decodeBech32(line.subarray(0, -1), KIND), undefined);
    assert.equal(decodeBech32(line, { ...KIND, prefix: "AGE-SECRET-KEX-" }), undefined);
    const at = place % line.length;
    const other = "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L".charCodeAt(letter);
    if (line[at] === other) return;
    line[at] = other;
    assert.equal(decodeBech32(line, KIND), undefined);
  }));
});
