import assert from "node:assert/strict";
import { createPublicKey, randomBytes, verify } from "node:crypto";
import { p256 } from "@noble/curves/nist.js";
import { x25519 } from "@noble/curves/ed25519.js";
import fc from "fast-check";
import { CardInProcess, scripted } from "../../tests/token/card_channel.ts";
import { CardGarbledError } from "../apdu/channel.ts";
import { concat } from "../apdu/tlv.ts";
import { cheapCard } from "../softcard/test_card.ts";
import { PivClient, selectPiv } from "./client.ts";
import { FACTORY_MANAGEMENT_KEY } from "./client_management.ts";
import { PivRefusedError } from "./client_types.ts";
import { OBJECT_TAG, PIN_POLICY, PIV_ALGORITHM } from "./constants.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

async function newCard(state = cheapCard()) {
  const card = new CardInProcess(state);
  const piv = await selectPiv(card);
  assert.ok(piv);
  return { card, piv };
}

async function administered(state = cheapCard()) {
  const made = await newCard(state);
  const challenge = new Uint8Array(randomBytes(16));
  assert.ok(await made.piv.authenticateManagement({ key: FACTORY_MANAGEMENT_KEY, challenge }));
  return made;
}

Deno.test("a card without PIV is told apart from a broken one", async () => {
  assert.equal(await selectPiv(scripted(Uint8Array.of(0x6a, 0x82))), undefined);
  await assert.rejects(
    selectPiv(scripted(Uint8Array.of(0x01, 0x02, 0x90, 0x00))),
    CardGarbledError,
  );
  await assert.rejects(selectPiv(scripted(Uint8Array.of(0x90))), CardGarbledError);
});

Deno.test("the card's id is its GUID, else its serial number, else unknown", async () => {
  const { piv } = await administered();
  const guid = await piv.cardId();
  assert.match(guid ?? "", /^[0-9a-f]{32}$/);
  await piv.putObject(OBJECT_TAG.cardHolderUniqueId, concat(bytes("4\x10"), new Uint8Array(16)));
  assert.equal(await piv.cardId(), "serial:12345678");
  assert.equal(await new PivClient(scripted()).serial(), undefined);
});

Deno.test("PIN states come as values, and asking spends no try", async () => {
  const { piv } = await newCard();
  assert.deepEqual(await piv.pinStatus(), { state: "locked", triesLeft: 3 });
  assert.deepEqual(await piv.pinStatus(), { state: "locked", triesLeft: 3 });
  assert.deepEqual(await piv.verifyPin(bytes("999999")), { outcome: "wrong", triesLeft: 2 });
  assert.deepEqual(await piv.verifyPin(bytes("123456")), { outcome: "ok" });
  assert.deepEqual(await piv.pinStatus(), { state: "verified" });
  assert.deepEqual(await piv.verifyPin(bytes("999999")), { outcome: "wrong", triesLeft: 2 });
  assert.deepEqual(await piv.verifyPin(bytes("999999")), { outcome: "wrong", triesLeft: 1 });
  assert.deepEqual(await piv.verifyPin(bytes("999999")), { outcome: "blocked" });
  assert.deepEqual(await piv.verifyPin(bytes("123456")), { outcome: "blocked" });
  assert.deepEqual(await piv.pinStatus(), { state: "blocked" });
});

Deno.test("a PIN that no card can have is wrong and spends no try", async () => {
  const { piv, card } = await newCard();
  for (const pin of ["", "1", "12345", "123456789"]) {
    assert.deepEqual(await piv.verifyPin(bytes(pin)), { outcome: "wrong", triesLeft: 3 }, pin);
  }
  await piv.verifyPin(bytes("123456"));
  assert.deepEqual(await piv.verifyPin(bytes("1")), { outcome: "wrong", triesLeft: 3 });
  assert.equal(card.commands.filter((one) => one[1] === 0x20 && (one[4] ?? 0) > 0).length, 1);
});

Deno.test("the PIN is changed by the PIN and unblocked by the PUK", async () => {
  const { piv } = await newCard();
  const change = (old: string, now: string) => piv.changePin({ old: bytes(old), new: bytes(now) });
  assert.deepEqual(await change("000000", "654321"), { outcome: "wrong", triesLeft: 2 });
  assert.deepEqual(await change("123456", "12"), { outcome: "malformed" });
  assert.deepEqual(await change("123456", "654321"), { outcome: "ok" });
  for (let i = 0; i < 3; i++) await piv.verifyPin(bytes("123456"));
  assert.deepEqual(await piv.pinStatus(), { state: "blocked" });
  const unblock = (puk: string) => piv.unblockPin({ puk: bytes(puk), new: bytes("111111") });
  assert.deepEqual(await unblock("00000000"), { outcome: "wrong", triesLeft: 2 });
  assert.deepEqual(await unblock("12345678"), { outcome: "ok" });
  assert.deepEqual(await piv.verifyPin(bytes("111111")), { outcome: "ok" });
});

Deno.test("no command still holds the PIN after it was sent", async () => {
  const sent: Uint8Array[] = [];
  const piv = new PivClient({
    transmit(command) {
      sent.push(command); // the very bytes, not a copy
      return Promise.resolve(Uint8Array.of(0x90, 0x00));
    },
  });
  await piv.verifyPin(bytes("123456"));
  await piv.changePin({ old: bytes("123456"), new: bytes("654321") });
  // The first asks which PIN the holder has.
  assert.deepEqual(sent.map((one) => one.length), [9, 13, 21]);
  assert.ok(sent.every((one) => one.every((byte) => byte === 0)));
});

Deno.test("the management key: 3DES, AES, and another key", async () => {
  await administered();
  await administered(cheapCard({ management: "AES-192" }));
  const { piv } = await newCard();
  const challenge = new Uint8Array(randomBytes(16));
  for (const length of [16, 24, 32, 5]) {
    const key = new Uint8Array(length).fill(9);
    assert.equal(await piv.authenticateManagement({ key, challenge }), false);
  }
  await assert.rejects(piv.putObject(0x5f4000, bytes("x")), PivRefusedError);
});

Deno.test("objects of every length come back, absent and empty ones as nothing", async () => {
  const { piv } = await administered();
  assert.equal(await piv.getObject(0x5f4000), undefined);
  for (const length of [1, 127, 128, 254, 255, 256, 257, 511, 1000, 3000]) {
    const value = new Uint8Array(randomBytes(length));
    await piv.putObject(0x5f4000, value);
    assert.deepEqual(await piv.getObject(0x5f4000), value);
  }
  await piv.putObject(0x5f4000, new Uint8Array(0));
  assert.equal(await piv.getObject(0x5f4000), undefined);
});

Deno.test("P-256 on the card: generated and imported keys sign and agree", async () => {
  const { piv } = await administered();
  const generated = await piv.generateKey(0x9d, { algorithm: PIV_ALGORITHM.eccP256 });
  const secret = p256.utils.randomSecretKey();
  await piv.importKey(0x82, {
    algorithm: PIV_ALGORITHM.eccP256,
    secret,
    pinPolicy: PIN_POLICY.once,
  });
  const own = p256.utils.randomSecretKey();
  const peer = p256.getPublicKey(own, false);
  const use = { algorithm: PIV_ALGORITHM.eccP256, peer };
  await assert.rejects(piv.agree(0x9d, use), { name: "PivRefusedError", sw: 0x6982 });
  await piv.verifyPin(bytes("123456"));
  assert.deepEqual(await piv.agree(0x9d, use), p256.getSharedSecret(own, generated).slice(1));
  assert.deepEqual(await piv.agree(0x82, use), p256.getSharedSecret(secret, peer).slice(1));
  assert.deepEqual((await piv.metadata(0x9d))?.publicKey, generated);
  assert.equal((await piv.metadata(0x82))?.origin, "imported");
  assert.equal(await piv.metadata(0x83), undefined);

  const digest = new Uint8Array(randomBytes(32));
  const signature = await piv.sign(0x9d, { algorithm: PIV_ALGORITHM.eccP256, input: digest });
  assert.ok(
    p256.verify(signature, digest, generated, { prehash: false, format: "der", lowS: false }),
  );
});

Deno.test("X25519 and Ed25519 on the card", async () => {
  const { piv } = await administered();
  const point = await piv.generateKey(0x83, { algorithm: PIV_ALGORITHM.x25519 });
  const secret = new Uint8Array(randomBytes(32));
  await piv.importKey(0x84, { algorithm: PIV_ALGORITHM.x25519, secret });
  const ed = await piv.generateKey(0x9a, { algorithm: PIV_ALGORITHM.ed25519 });
  await piv.verifyPin(bytes("123456"));
  const own = x25519.utils.randomSecretKey();
  const peer = x25519.getPublicKey(own);
  const use = { algorithm: PIV_ALGORITHM.x25519, peer };
  assert.deepEqual(await piv.agree(0x83, use), x25519.getSharedSecret(own, point));
  assert.deepEqual(await piv.agree(0x84, use), x25519.getSharedSecret(secret, peer));
  const input = bytes("message");
  const signature = await piv.sign(0x9a, { algorithm: PIV_ALGORITHM.ed25519, input });
  const jwk = { kty: "OKP", crv: "Ed25519", x: ed.toBase64({ alphabet: "base64url" }) };
  assert.ok(verify(null, input, createPublicKey({ key: jwk, format: "jwk" }), signature));
});

Deno.test("an answer without an end is cut off", async () => {
  const endless = { transmit: () => Promise.resolve(concat(new Uint8Array(256), bytes("a\0"))) };
  await assert.rejects(new PivClient(endless).getObject(0x5f4000), CardGarbledError);
  const stuck = { transmit: () => Promise.resolve(bytes("a\0")) };
  await assert.rejects(new PivClient(stuck).getObject(0x5f4000), CardGarbledError);
});

Deno.test("a wrong Le is corrected once, not for ever", async () => {
  let count = 0;
  const insisting = { transmit: () => Promise.resolve((count++, Uint8Array.of(0x6c, 0x05))) };
  await assert.rejects(new PivClient(insisting).getObject(0x5f4000), PivRefusedError);
  assert.equal(count, 2);
});

Deno.test("whatever a card answers, the client ends in a value or one of its own errors", async () => {
  const answer = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.uint8Array({ maxLength: 60 }).map((data) => concat(data, Uint8Array.of(0x90, 0))),
    fc.uint8Array({ maxLength: 60 }).map((data) => concat(data, Uint8Array.of(0x61, 0))),
  );
  const uses: ((piv: PivClient) => Promise<unknown>)[] = [
    (piv) => piv.select(),
    (piv) => piv.cardId(),
    (piv) => piv.getObject(0x5f4000),
    (piv) => piv.pinStatus(),
    (piv) => piv.verifyPin(bytes("123456")),
    (piv) => piv.generateKey(0x9d, { algorithm: PIV_ALGORITHM.eccP256 }),
    (piv) => piv.agree(0x9d, { algorithm: PIV_ALGORITHM.x25519, peer: new Uint8Array(32) }),
    (piv) => piv.metadata(0x9d),
    (piv) => piv.version(),
    (piv) =>
      piv.authenticateManagement({ key: FACTORY_MANAGEMENT_KEY, challenge: new Uint8Array(16) }),
  ];
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...uses), fc.array(answer), async (use, answers) => {
      try {
        await use(new PivClient(scripted(...answers)));
      } catch (error) {
        const own = error instanceof CardGarbledError || error instanceof PivRefusedError;
        assert.ok(own, String(error));
      }
    }),
    { numRuns: 300 },
  );
});
