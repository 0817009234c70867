import assert from "node:assert/strict";
import { cheapCard, countingCrypto } from "./test_card.ts";
import { seal, unseal, unwrapMasterKey, vaultOf, wrapMasterKey } from "./vault.ts";

const crypto = countingCrypto();
const masterKey = new Uint8Array(32).fill(7);
const secret = new TextEncoder().encode("12345678");

Deno.test("the master key opens with its PIN and with no other", () => {
  const cost = { N: 2, r: 1, p: 1 };
  const wrapped = wrapMasterKey(masterKey, { crypto, secret, tries: 3, isDefault: true, cost });
  assert.deepEqual(unwrapMasterKey(wrapped, { crypto, secret }), masterKey);
  const other = new TextEncoder().encode("12345679");
  assert.equal(unwrapMasterKey(wrapped, { crypto, secret: other }), undefined);
});

Deno.test("what is sealed opens in its own place only", () => {
  const plain = new Uint8Array(40).fill(1);
  const sealed = seal(plain, { crypto, vault: vaultOf(masterKey), context: "key 157" });
  assert.deepEqual(unseal(sealed, { masterKey, context: "key 157" }), plain);
  assert.equal(unseal(sealed, { masterKey, context: "key 154" }), undefined);
  const other = new Uint8Array(32).fill(8);
  assert.equal(unseal(sealed, { masterKey: other, context: "key 157" }), undefined);
  for (const length of [0, 31, 32, 47, sealed.length - 1]) {
    assert.equal(unseal(sealed.slice(0, length), { masterKey, context: "key 157" }), undefined);
  }
});

Deno.test("PIN and PUK of a new card open the same master key, wrapped apart", () => {
  const { pin, puk, vault } = cheapCard().piv;
  const byPin = unwrapMasterKey(pin, {
    crypto,
    secret: new Uint8Array([...new TextEncoder().encode("123456"), 0xff, 0xff]),
  });
  const byPuk = unwrapMasterKey(puk, { crypto, secret });
  assert.ok(byPin);
  assert.deepEqual(byPin, byPuk);
  assert.deepEqual(vaultOf(byPin), vault);
  assert.notDeepEqual(pin.wrapped, puk.wrapped);
});
