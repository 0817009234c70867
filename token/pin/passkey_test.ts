import assert from "node:assert/strict";
import { boundTo, openPasskey, sealPasskey } from "./passkey.ts";
import { makePinOpener, sealPin } from "./seal.ts";

const prf = new Uint8Array(64).fill(5);
const pin = new TextEncoder().encode("123456");

Deno.test("a passkey's answer opens in its engine only, and never as a PIN", async () => {
  const opener = await makePinOpener("e");
  const to = { publicKey: opener.publicKey, engine: "e" };
  const sealed = await sealPasskey(prf, to);
  assert.deepEqual(await openPasskey(opener, sealed), prf);
  assert.equal(await opener.open(sealed), undefined, "not as a PIN");
  assert.equal(await openPasskey(opener, await sealPin(pin, to)), undefined, "nor a PIN as one");
  assert.equal(await openPasskey(await makePinOpener("e"), sealed), undefined, "the next engine");
  const short = await sealPin(prf.subarray(1), { ...to, bound: "passkey" });
  assert.equal(await openPasskey(opener, short), undefined, "one result and a half");
});

Deno.test("a PIN that adds a passkey opens with that passkey and that name only", async () => {
  const opener = await makePinOpener("e");
  const to = { publicKey: opener.publicKey, engine: "e" };
  const adds = { ...await sealPasskey(prf, to), name: "phone" };
  const sealed = await sealPin(pin, { ...to, bound: boundTo(adds) });
  assert.deepEqual(await opener.open({ ...sealed, bound: boundTo(adds) }), pin);
  const other = { ...await sealPasskey(prf, to), name: "phone" };
  for (const bound of [boundTo(other), boundTo({ ...adds, name: "x" }), undefined]) {
    const opened = await opener.open(bound === undefined ? sealed : { ...sealed, bound });
    assert.equal(opened, undefined);
  }
  assert.equal(await opener.open({ ...await sealPin(pin, to), bound: boundTo(adds) }), undefined);
});
