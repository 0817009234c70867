/** The client and the software card's OpenPGP application, each written from the specification. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { x25519 } from "@noble/curves/ed25519.js";
import { CardInProcess } from "../../tests/token/card_channel.ts";
import { CardRefusedError } from "../apdu/channel.ts";
import { openPgpFacts } from "../capabilities/find_out.ts";
import { judge } from "../capabilities/judge.ts";
import { selectPiv } from "../piv/client.ts";
import { cheapCard } from "../softcard/test_card.ts";
import { selectOpenPgp } from "./client.ts";
import { PASSWORD, PRIVATE_OBJECT } from "./constants.ts";
import { unwrapKey, wrapKey } from "./wrapped_key.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const random = (length: number) => new Uint8Array(randomBytes(length));

async function opened(serial = 12345678) {
  const channel = new CardInProcess(cheapCard({ serial }));
  const card = await selectOpenPgp(channel);
  assert.ok(card);
  return { card, channel };
}

async function withKey(serial?: number) {
  const made = await opened(serial);
  const administrator = await made.card.verifyPin(bytes("12345678"), PASSWORD.administrator);
  assert.deepEqual(administrator, { outcome: "ok" });
  return { ...made, publicKey: await made.card.generateDecryptionKey() };
}

Deno.test("the card says who it is and what it can", async () => {
  const { card } = await opened();
  assert.match(await card.cardId(), /^openpgp:[0-9a-f]{4}:12345678$/);
  const data = await card.applicationData();
  assert.equal(data.id.version, "3.4");
  assert.equal(data.hasDecryptionKey, false);
  assert.deepEqual(data.decryption, { kind: "ecdh", curve: "x25519" });
  assert.deepEqual((await card.cardholder()).display, "");
  const ways = judge(await openPgpFacts(card));
  assert.deepEqual(ways.carriers.map(({ way, open }) => `${way} ${open}`), [
    "card-key-only yes",
    "folder yes",
    "hub yes",
    "stick yes",
  ]);
});

Deno.test("PINs: tries from C4, both uses of PW1 apart, blocked at last", async () => {
  const { card } = await opened();
  assert.deepEqual(await card.pinStatus(), { state: "locked", triesLeft: 3 });
  assert.deepEqual(await card.verifyPin(bytes("654321")), { outcome: "wrong", triesLeft: 2 });
  assert.deepEqual(await card.verifyPin(bytes("12345")), { outcome: "wrong", triesLeft: 2 });
  assert.deepEqual(await card.verifyPin(bytes("123456")), { outcome: "ok" });
  assert.deepEqual(await card.pinStatus(), { state: "verified" });
  assert.equal((await card.pinStatus(PASSWORD.signing)).state, "locked");
  assert.equal(await card.forgetPin(), true);
  assert.deepEqual(await card.pinStatus(), { state: "locked", triesLeft: 3 });
  const change = { old: bytes("123456"), new: bytes("a longer PIN") };
  assert.deepEqual(await card.changePin(change), { outcome: "ok" });
  assert.deepEqual(await card.verifyPin(bytes("a longer PIN")), { outcome: "ok" });
  for (const triesLeft of [2, 1]) {
    assert.deepEqual(await card.verifyPin(bytes("123456")), { outcome: "wrong", triesLeft });
  }
  assert.deepEqual(await card.verifyPin(bytes("123456")), { outcome: "blocked" });
  assert.deepEqual(await card.pinStatus(), { state: "blocked" });
});

Deno.test("X25519 on the card, with the PIN only", async () => {
  const { card, publicKey } = await withKey();
  assert.deepEqual(await card.decryptionKey(), publicKey);
  assert.equal((await card.applicationData()).hasDecryptionKey, true);
  const secret = x25519.utils.randomSecretKey();
  const peer = x25519.getPublicKey(secret);
  await assert.rejects(card.agree({ peer }), CardRefusedError);
  await card.verifyPin(bytes("123456"));
  assert.deepEqual(await card.agree({ peer }), x25519.getSharedSecret(secret, publicKey));
  await assert.rejects(card.agree({ peer: new Uint8Array(32) }), CardRefusedError);
});

Deno.test("a wrapped key lies in a private object that the PIN opens, on its own card only", async () => {
  const { card, channel, publicKey } = await withKey();
  const key = random(32);
  const wrapped = wrapKey(key, { recipient: publicKey, ephemeral: random(32) });
  await assert.rejects(card.putData(PRIVATE_OBJECT.third, wrapped), CardRefusedError);
  await card.verifyPin(bytes("123456"));
  await card.putData(PRIVATE_OBJECT.third, wrapped);
  channel.reinsert();
  await card.select();
  await assert.rejects(card.privateObject(PRIVATE_OBJECT.third), CardRefusedError);
  await card.verifyPin(bytes("123456"));
  const stored = await card.privateObject(PRIVATE_OBJECT.third);
  assert.ok(stored);
  assert.deepEqual(await unwrapKey(card, { bytes: stored, recipient: publicKey }), { key });

  const other = await withKey(87654321);
  await other.card.verifyPin(bytes("123456"));
  assert.notDeepEqual(other.publicKey, publicKey);
  const stolen = await unwrapKey(other.card, { bytes: stored, recipient: publicKey });
  assert.equal(stolen, "other-card");
});

Deno.test("objects longer than one command, and two applications on one card", async () => {
  const { card, channel } = await opened();
  await card.verifyPin(bytes("123456"));
  for (const length of [1, 254, 255, 256, 700, 1000]) {
    const value = random(length);
    await card.putData(PRIVATE_OBJECT.first, value);
    assert.deepEqual(await card.privateObject(PRIVATE_OBJECT.first), value);
  }
  await assert.rejects(card.putData(PRIVATE_OBJECT.first, random(2000)), CardRefusedError);
  const piv = await selectPiv(channel);
  assert.equal((await piv?.pinStatus())?.state, "locked", "a PIN of one is not the other's");
  await card.select();
  assert.equal((await card.pinStatus()).state, "locked", "selecting anew forgets");
});
