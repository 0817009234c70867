import assert from "node:assert/strict";
import { makePinOpener, sealPin } from "./seal.ts";
import { MAX_PIN_BYTES, SEALED_WITH_ID_BYTES } from "./sealed_lengths.ts";
import { userIdDigest } from "./user_id.ts";

const pin = new TextEncoder().encode("123456");

Deno.test("a PIN sealed to an engine opens there and nowhere else", async () => {
  const opener = await makePinOpener("engine-1");
  const sealed = await sealPin(pin, { publicKey: opener.publicKey, engine: "engine-1" });
  assert.deepEqual(await opener.open(sealed), pin);
  const twin = await sealPin(pin, { publicKey: opener.publicKey, engine: "engine-1" });
  assert.notDeepEqual(twin.ciphertext, sealed.ciphertext);
  const other = await makePinOpener("engine-1");
  assert.equal(await other.open(sealed), undefined);
  const misnamed = await sealPin(pin, { publicKey: opener.publicKey, engine: "engine-2" });
  assert.equal(await opener.open(misnamed), undefined);
});

Deno.test("a sealing doesn't tell how long the PIN is, and gives each back whole", async () => {
  const opener = await makePinOpener("e");
  const to = { publicKey: opener.publicKey, engine: "e" };
  const lengths = new Set<number>();
  for (const odd of ["00", "80", "8000", "318000", "31323334", "80".repeat(MAX_PIN_BYTES)]) {
    const sealed = await sealPin(Uint8Array.fromHex(odd), to);
    lengths.add(sealed.ciphertext.length);
    assert.equal((await opener.open(sealed))?.toHex(), odd);
  }
  assert.equal(lengths.size, 1);
});

Deno.test("a changed, cut or oversized sealing opens to nothing", async () => {
  const opener = await makePinOpener("e");
  const { enc, ciphertext } = await sealPin(pin, { publicKey: opener.publicKey, engine: "e" });
  const flipped = ciphertext.slice();
  flipped[0] = (flipped[0] ?? 0) ^ 1;
  assert.equal(await opener.open({ enc, ciphertext: flipped }), undefined);
  assert.equal(await opener.open({ enc, ciphertext: ciphertext.slice(1) }), undefined);
  assert.equal(await opener.open({ enc: enc.slice(1), ciphertext }), undefined);
  assert.equal(await opener.open({ enc: new Uint8Array(32), ciphertext }), undefined);
  assert.equal(await opener.open({ enc, ciphertext: new Uint8Array(200) }), undefined);
  const to = { publicKey: opener.publicKey, engine: "e" };
  await assert.rejects(sealPin(new Uint8Array(MAX_PIN_BYTES + 1), to), RangeError);
  await assert.rejects(sealPin(new Uint8Array(0), to), RangeError);
});

Deno.test("a user id goes along sealed; with one and without one are two things", async () => {
  const opener = await makePinOpener("e");
  const to = { publicKey: opener.publicKey, engine: "e" };
  const [alone, both] = [await sealPin(pin, to), await sealPin(pin, { ...to, userId: "alice" })];
  const opened = await opener.openWithId(both);
  assert.deepEqual(opened?.pin, pin);
  assert.deepEqual(opened?.userId, userIdDigest("Alice"));
  assert.equal(await opener.open(both), undefined);
  assert.equal(await opener.openWithId(alone), undefined);
  const longer = await sealPin(pin, { ...to, userId: "alice of the second floor" });
  assert.equal(longer.ciphertext.length, both.ciphertext.length, "its length says nothing");
  const longest = await sealPin(new Uint8Array(MAX_PIN_BYTES).fill(1), { ...to, userId: "a" });
  assert.equal(longest.ciphertext.length, SEALED_WITH_ID_BYTES);
  assert.equal((await opener.openWithId(longest))?.pin.length, MAX_PIN_BYTES);
  const ciphertext = new Uint8Array(SEALED_WITH_ID_BYTES + 1);
  assert.equal(await opener.openWithId({ enc: longest.enc, ciphertext }), undefined);
});
