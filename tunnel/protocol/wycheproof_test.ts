/** The primitives against Wycheproof and against the known answers of BLAKE2's authors. */
import assert from "node:assert/strict";
import { Libcrypto } from "../../os/libcrypto.ts";
import blake2s from "../../tests/vectors/blake2s.json" with { type: "json" };
import vectors from "../../tests/vectors/wycheproof.json" with { type: "json" };
import { CRYPTOS, NATIVE_CRYPTOS } from "./every_crypto.ts";

const hex = (text: string) => Uint8Array.fromHex(text);
const ZERO = "00".repeat(32);

interface AeadVector {
  readonly id: string;
  readonly key: Uint8Array;
  readonly nonce: Uint8Array;
  readonly ad: Uint8Array;
  readonly plaintext: Uint8Array;
  readonly sealed: Uint8Array;
  readonly valid: boolean;
}

function aeadVectors(rows: readonly (readonly (string | number)[])[]): AeadVector[] {
  return rows.map(([id, ...texts]) => {
    const [key = "", nonce = "", ad = "", plaintext = "", sealed = "", result] = texts.map(String);
    return {
      id: `test ${id}`,
      key: hex(key),
      nonce: hex(nonce),
      ad: hex(ad),
      plaintext: hex(plaintext),
      sealed: hex(sealed),
      valid: result === "valid",
    };
  });
}

/** What seals and opens as the vectors ask. */
interface Aead {
  seal(out: Uint8Array, parts: AeadVector): void;
  open(out: Uint8Array, parts: AeadVector): boolean;
}

function holds(aead: Aead, rows: readonly AeadVector[]): void {
  for (const vector of rows) {
    const { id, plaintext, sealed, valid } = vector;
    const opened = new Uint8Array(plaintext.length);
    assert.equal(aead.open(opened, vector), valid, id);
    if (!valid) continue;
    assert.deepEqual(opened, plaintext, id);
    const made = new Uint8Array(sealed.length);
    aead.seal(made, vector);
    assert.deepEqual(made, sealed, id);
  }
  assert.ok(rows.length > 250);
}

for (const crypto of CRYPTOS) {
  Deno.test(`Wycheproof: X25519 (${crypto.name})`, () => {
    for (const [id, privateKey, publicKey, shared] of vectors.x25519) {
      const out = new Uint8Array(32);
      const done = crypto.dh(out, hex(`${privateKey}`), hex(`${publicKey}`));
      // A result of zeros is what we refuse (RFC 7748 section 6.1).
      assert.equal(done, shared !== ZERO, `test ${id}`);
      if (done) assert.equal(out.toHex(), shared, `test ${id}`);
    }
    assert.equal(vectors.x25519.length, 518);
  });

  Deno.test(`Wycheproof: XChaCha20-Poly1305 (${crypto.name})`, () => {
    holds(
      { seal: crypto.xseal, open: crypto.xopen },
      aeadVectors(vectors.xchacha20_poly1305),
    );
  });

  Deno.test(`known answers of BLAKE2s (${crypto.name})`, () => {
    const data = Uint8Array.from(blake2s.hashes, (_, index) => index);
    for (const [length, hash] of blake2s.hashes.entries()) {
      const out = new Uint8Array(32);
      const half = length >> 1;
      crypto.hash(out, data.subarray(0, half), data.subarray(half, length));
      assert.equal(out.toHex(), hash, `${length} bytes`);
    }
    assert.equal(blake2s.hashes.length, 256);
  });
}

if (NATIVE_CRYPTOS.length > 0) {
  Deno.test("Wycheproof: ChaCha20-Poly1305 (libcrypto)", () => {
    const library = Libcrypto.open();
    assert.ok(library !== undefined);
    holds(
      {
        seal: (out, parts) => library.seal(out, parts),
        open: (out, parts) => library.open(out, parts),
      },
      aeadVectors(vectors.chacha20_poly1305),
    );
    library.close();
  });
}
