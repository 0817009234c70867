import assert from "node:assert/strict";
import fc from "fast-check";
import {
  decodePurseIssuer,
  encodePurseIssuer,
  newPurseIssuer,
  withAccount,
} from "./issuer_file.ts";
import { newAccount } from "./load_issuer.ts";

const issuer = newPurseIssuer(Uint8Array.from({ length: 96 }, (_, i) => i));

Deno.test("an issuer's file comes back as it was", () => {
  const account = {
    ...newAccount({ currency: 392, funds: 5 }),
    pending: { amount: 3, credits: 2 },
  };
  const full = withAccount(issuer, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8), account);
  assert.deepEqual(decodePurseIssuer(encodePurseIssuer(full)), full);
  assert.equal(issuer.accounts.size, 0);
  assert.equal(new Set(Object.values(issuer.masters).map((key) => key.toHex())).size, 3);
});

Deno.test("anything else is none: cut, damaged, or another file", () => {
  const text = encodePurseIssuer(issuer).trimEnd();
  for (let length = 0; length < text.length; length++) {
    assert.equal(decodePurseIssuer(text.slice(0, length)), undefined, `${length}`);
  }
  for (const other of ["{}", "[]", "null", text.replace("issuer 1", "issuer 2")]) {
    assert.equal(decodePurseIssuer(other), undefined);
  }
  const bad = text.replace(/"accounts": \{\}/, '"accounts": {"0102030405060708": {"funds": -1}}');
  assert.equal(decodePurseIssuer(bad), undefined);
  fc.assert(fc.property(fc.string(), (any) => decodePurseIssuer(any) === undefined));
});
