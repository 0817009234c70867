/** What stock cards have: discovery, global PINs, RSA, AES management keys, attestation. */
import assert from "node:assert/strict";
import { generateKeyPairSync, type KeyObject, randomBytes } from "node:crypto";
import { gzipSync } from "node:zlib";
import { p256 } from "@noble/curves/nist.js";
import { CardInProcess, scripted } from "../../tests/token/card_channel.ts";
import { type CardChannel, CardGarbledError } from "../apdu/channel.ts";
import { concat, encodeTlv } from "../apdu/tlv.ts";
import { cheapCard } from "../softcard/test_card.ts";
import { attests, readAttestation } from "./attestation.ts";
import { certificateFacts } from "./certificate_facts.ts";
import { PivClient, selectPiv } from "./client.ts";
import { FACTORY_MANAGEMENT_KEY } from "./client_management.ts";
import { ANSWER_MS, OBJECT_TAG, PIN_REFERENCE, PIV_ALGORITHM, PIV_INS } from "./constants.ts";
import { PROOF_SEED_BYTES, proveKey } from "./prove_key.ts";
import { type CardPublicKey, isSameKey, publicKeyOfSpki } from "./public_key.ts";
import { isSignatureOf, signMessage } from "./sign_message.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const random = (length: number) => new Uint8Array(randomBytes(length));
const seed = () => random(PROOF_SEED_BYTES);

async function administered(state = cheapCard()) {
  const card = new CardInProcess(state);
  const piv = await selectPiv(card);
  assert.ok(piv);
  const challenge = random(16);
  assert.ok(await piv.authenticateManagement({ key: FACTORY_MANAGEMENT_KEY, challenge }));
  return { card, piv };
}

Deno.test("discovery: the card's objects as values", async () => {
  const { piv } = await administered();
  assert.match(piv.template?.label ?? "", /software PIV card/);
  assert.deepEqual((await piv.discovery())?.accepts, {
    applicationPin: true,
    globalPin: false,
    biometric: false,
  });
  assert.equal((await piv.cardHolderId())?.guid?.toHex(), await piv.cardId());
  assert.equal((await piv.cardHolderId())?.expires, "20991231");
  assert.equal((await piv.capabilityContainer())?.dataModel, 16);
  assert.equal(await piv.keyHistory(), undefined);
  await piv.putObject(OBJECT_TAG.keyHistory, Uint8Array.fromHex("c10101c20100fe00"));
  assert.equal((await piv.keyHistory())?.withCertificate, 1);
  await piv.putObject(OBJECT_TAG.keyHistory, Uint8Array.fromHex("c101"));
  await assert.rejects(piv.keyHistory(), CardGarbledError);
  await piv.putObject(OBJECT_TAG.cardHolderUniqueId, bytes("nonsense"));
  await assert.rejects(piv.cardHolderId(), CardGarbledError);
  assert.equal(await piv.cardId(), "serial:12345678", "a card with a broken CHUID has a name");
});

Deno.test("the global PIN: asked for where the card prefers it, counted apart", async () => {
  const { piv, card } = await administered(cheapCard({ globalPin: "87654321" }));
  assert.equal((await piv.discovery())?.accepts.globalPin, true);
  assert.equal(await piv.holderPin(), PIN_REFERENCE.pin, "the card prefers its own");
  const { global, pin } = PIN_REFERENCE;
  assert.deepEqual(await piv.verifyPin(bytes("123456"), global), {
    outcome: "wrong",
    triesLeft: 2,
  });
  assert.deepEqual(await piv.pinStatus(), { state: "locked", triesLeft: 3 });
  assert.deepEqual(await piv.verifyPin(bytes("87654321"), global), { outcome: "ok" });
  assert.deepEqual(await piv.pinStatus(global), { state: "verified" });
  assert.equal(await piv.forgetPin(global), true);
  const change = { old: bytes("87654321"), new: bytes("11112222"), reference: global };
  assert.deepEqual(await piv.changePin(change), { outcome: "ok" });
  assert.deepEqual(await piv.verifyPin(bytes("11112222"), global), { outcome: "ok" });
  assert.deepEqual(await piv.verifyPin(bytes("123456"), pin), { outcome: "ok" });

  // The same card with the other preference: every PIN goes to reference 00.
  const preferring: CardChannel = {
    async transmit(command) {
      const asksDiscovery = command[1] === PIV_INS.getData && command[7] === 0x7e;
      const answer = await card.transmit(command);
      return asksDiscovery ? answer.with(-3, 0x20) : answer;
    },
  };
  const other = await selectPiv(preferring);
  assert.equal(await other?.holderPin(), global);
  card.commands.length = 0;
  assert.deepEqual(await other?.verifyPin(bytes("11112222")), { outcome: "ok" });
  assert.equal(await other?.forgetPin(), true);
  assert.deepEqual(await other?.pinStatus(), { state: "locked", triesLeft: 3 });
  assert.deepEqual(card.commands.map((one) => one[3]), [0x00, 0x00, 0x00]);
});

Deno.test("a card with a broken or no discovery object has its own PIN", async () => {
  for (const answer of ["6a82", "6d00", "7e039000", "9000", "ffff9000"]) {
    const piv = new PivClient(scripted(Uint8Array.fromHex(answer)));
    assert.equal(await piv.holderPin(), PIN_REFERENCE.pin, answer);
  }
});

Deno.test("a card that only says wrong is asked for its tries", async () => {
  const answers = (...words: string[]) =>
    scripted(...words.map((word) => Uint8Array.fromHex(word)));
  const pin = bytes("999999");
  const counting = new PivClient(answers("6a82", "6300", "63c2"));
  assert.deepEqual(await counting.verifyPin(pin), { outcome: "wrong", triesLeft: 2 });
  const last = new PivClient(answers("6a82", "6300", "6983"));
  assert.deepEqual(await last.verifyPin(pin), { outcome: "blocked" });
});

Deno.test("PUK: changed, and its facts told; the PUK is no holder's PIN", async () => {
  const { piv } = await administered();
  assert.deepEqual(await piv.pinFacts(PIN_REFERENCE.puk), {
    isDefault: true,
    tries: 3,
    triesLeft: 3,
  });
  const wrong = { old: bytes("00000000"), new: bytes("87654321") };
  assert.deepEqual(await piv.changePuk(wrong), { outcome: "wrong", triesLeft: 2 });
  const right = { old: bytes("12345678"), new: bytes("87654321") };
  assert.deepEqual(await piv.changePuk(right), { outcome: "ok" });
  assert.equal((await piv.pinFacts(PIN_REFERENCE.puk))?.isDefault, false);
  const unblock = { puk: bytes("87654321"), new: bytes("222222") };
  assert.deepEqual(await piv.unblockPin(unblock), { outcome: "ok" });
  assert.equal(await new PivClient(scripted()).pinFacts(PIN_REFERENCE.pin), undefined);
});

Deno.test("management keys: each cipher set, proven, and the old one refused", async () => {
  const { piv } = await administered();
  let old = FACTORY_MANAGEMENT_KEY;
  const ciphers = [
    [PIV_ALGORITHM.aes128, 16],
    [PIV_ALGORITHM.aes192, 24],
    [PIV_ALGORITHM.aes256, 32],
    [PIV_ALGORITHM.tripleDes, 24],
  ] as const;
  for (const [algorithm, length] of ciphers) {
    const key = random(length);
    await piv.setManagementKey({ algorithm, key });
    assert.equal((await piv.metadata(0x9b))?.algorithm, algorithm);
    assert.equal(await piv.authenticateManagement({ key: old, challenge: random(16) }), false);
    assert.equal(await piv.authenticateManagement({ key, challenge: random(16) }), true);
    await assert.rejects(piv.setManagementKey({ algorithm, key: random(5) }), RangeError);
    old = key;
  }
});

Deno.test("RSA-2048: made on the card and imported, signs what others verify", async () => {
  const { piv } = await administered();
  const algorithm = PIV_ALGORITHM.rsa2048;
  const made = await piv.generateKey(0x9a, { algorithm });
  const pair = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const jwk = pair.privateKey.export({ format: "jwk" });
  const part = (text: string | undefined) =>
    Uint8Array.fromBase64(text ?? "", { alphabet: "base64url" });
  const secret = {
    p: part(jwk.p),
    q: part(jwk.q),
    dp: part(jwk.dp),
    dq: part(jwk.dq),
    qinv: part(jwk.qi),
  };
  await piv.importKey(0x9c, { algorithm, secret });
  await piv.verifyPin(bytes("123456"));
  const spki = pair.publicKey.export({ format: "der", type: "spki" });
  const imported = publicKeyOfSpki(new Uint8Array(spki));
  assert.ok(imported);
  const message = bytes("a message of any length");
  for (const [slot, publicKey] of [[0x9a, made], [0x9c, imported.publicKey]] as const) {
    // The imported key asks for the PIN each time, as a signature key does.
    await piv.verifyPin(bytes("123456"));
    const signature = await signMessage(piv, slot, { algorithm, message });
    assert.equal(signature.length, 256);
    assert.equal(isSignatureOf({ algorithm, publicKey }, { message, signature }), true);
    signature[9] = (signature[9] ?? 0) ^ 1;
    assert.equal(isSignatureOf({ algorithm, publicKey }, { message, signature }), false);
  }
  const short = { ...secret, p: secret.p.subarray(1) };
  await assert.rejects(piv.importKey(0x9c, { algorithm, secret: short }), RangeError);
  assert.throws(() => signMessage(piv, 0x9a, { algorithm: PIV_ALGORITHM.x25519, message }));
});

Deno.test("public keys are read from what OpenSSL writes", () => {
  const kinds: [string, KeyObject, number, number][] = [
    [
      "P-256",
      generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey,
      PIV_ALGORITHM.eccP256,
      65,
    ],
    ["Ed25519", generateKeyPairSync("ed25519").publicKey, PIV_ALGORITHM.ed25519, 32],
    ["X25519", generateKeyPairSync("x25519").publicKey, PIV_ALGORITHM.x25519, 32],
  ];
  for (const [kind, publicKey, algorithm, length] of kinds) {
    const spki = new Uint8Array(publicKey.export({ format: "der", type: "spki" }));
    const found = publicKeyOfSpki(spki);
    assert.deepEqual([found?.algorithm, found?.publicKey.length], [algorithm, length]);
    for (let cut = 0; cut < spki.length; cut++) {
      assert.equal(publicKeyOfSpki(spki.subarray(0, cut)), undefined, `${kind} cut at ${cut}`);
    }
  }
});

Deno.test("the long work of a card has its own bound, everything else the channel's", async () => {
  const bounds: (number | undefined)[] = [];
  const piv = new PivClient({
    transmit(_command, options) {
      bounds.push(options?.answerMs);
      return Promise.resolve(Uint8Array.of(0x6a, 0x80));
    },
  });
  await assert.rejects(piv.generateKey(0x9a, { algorithm: PIV_ALGORITHM.rsa2048 }));
  await assert.rejects(piv.generateKey(0x9a, { algorithm: PIV_ALGORITHM.eccP256 }));
  const use = { algorithm: PIV_ALGORITHM.x25519, peer: new Uint8Array(32) };
  await assert.rejects(piv.agree(0x82, use));
  await assert.rejects(piv.agree(0x82, { ...use, answerMs: ANSWER_MS.touch }));
  assert.deepEqual(bounds, [ANSWER_MS.generateRsa, undefined, undefined, ANSWER_MS.touch]);
});

Deno.test("attestation: read, and checked as far as the card's own word goes", async () => {
  const { piv } = await administered();
  const publicKey = await piv.generateKey(0x9a, { algorithm: PIV_ALGORITHM.eccP256 });
  const der = await piv.attest(0x9a);
  const own = await piv.certificate(0xf9);
  assert.ok(der && own?.result === "ok");
  const input = { der: Uint8Array.from(der), issuer: own.der };
  const found = await readAttestation(input);
  assert.ok(found);
  assert.equal(found.chain.state, "card's word");
  assert.deepEqual([found.serial, found.firmware], [12345678, "5.7.0"]);
  assert.ok(attests(found, { algorithm: PIV_ALGORITHM.eccP256, publicKey }));
  const another = p256.getPublicKey(p256.utils.randomSecretKey(), false);
  assert.ok(!attests(found, { algorithm: PIV_ALGORITHM.eccP256, publicKey: another }));

  const trusting = await readAttestation({ ...input, roots: [own.der] });
  assert.equal(trusting?.chain.state, "trusted");
  const without = await readAttestation({ ...input, issuer: undefined });
  assert.equal(without?.chain.state, "broken");
  const stranger = await (await administered()).piv.certificate(0xf9);
  const { piv: second } = await administered();
  await second.generateKey(0x9a, { algorithm: PIV_ALGORITHM.ed25519 });
  const forged = Uint8Array.from(der);
  forged[forged.length - 3] = (forged.at(-3) ?? 0) ^ 1;
  assert.equal((await readAttestation({ ...input, der: forged }))?.chain.state, "broken");
  assert.ok(stranger);
  assert.equal(await readAttestation({ ...input, der: new Uint8Array(40) }), undefined);
  for (let length = 0; length < der.length; length += 7) {
    const cut = await readAttestation({ ...input, der: input.der.slice(0, length) });
    assert.ok(cut === undefined || cut.chain.state === "broken", `cut at ${length}`);
  }
  assert.equal(await piv.attest(0x9c), undefined, "an empty slot");
});

/** A card whose slot 9A answers for its certificate, and one whose certificate is another key's. */
async function withCertificates() {
  const { piv, card } = await administered();
  for (const slot of [0x9a, 0x9c]) {
    await piv.generateKey(slot, { algorithm: PIV_ALGORITHM.eccP256 });
  }
  const der = await piv.attest(0x9a);
  assert.ok(der);
  const packed = concat(encodeTlv(0x70, gzipSync(der)), Uint8Array.of(0x71, 1, 1, 0xfe, 0));
  await piv.putObject(OBJECT_TAG.authenticationCertificate, packed);
  await piv.putObject(OBJECT_TAG.signatureCertificate, packed);
  await piv.verifyPin(bytes("123456"));
  return { piv, card };
}

Deno.test("a certificate whose key the card doesn't have is found out", async () => {
  const { piv } = await withCertificates();
  const read = await piv.certificate(0x9a);
  assert.ok(read?.result === "ok" && read.compressed);
  const key = certificateFacts(read.der)?.key;
  assert.ok(key);
  assert.deepEqual(await proveKey(piv, 0x9a, { ...key, seed: seed() }), { proof: "holds" });
  // A signature key asks for the PIN each time.
  await piv.verifyPin(bytes("123456"));
  assert.deepEqual(await proveKey(piv, 0x9c, { ...key, seed: seed() }), { proof: "other-key" });
});

Deno.test("each kind of key is proven, and another of its kind isn't", async () => {
  const { piv } = await administered();
  await piv.verifyPin(bytes("123456"));
  const kinds = [
    [0x9d, PIV_ALGORITHM.eccP256],
    [0x82, PIV_ALGORITHM.x25519],
    [0x83, PIV_ALGORITHM.ed25519],
    [0x9a, PIV_ALGORITHM.eccP256],
    [0x84, PIV_ALGORITHM.rsa2048],
  ] as const;
  for (const [slot, algorithm] of kinds) {
    const earlier = await piv.generateKey(slot, { algorithm });
    const publicKey = await piv.generateKey(slot, { algorithm });
    const prove = (key: Uint8Array) =>
      proveKey(piv, slot, { algorithm, publicKey: key, seed: seed() });
    assert.deepEqual(await prove(publicKey), { proof: "holds" });
    assert.deepEqual(await prove(earlier), { proof: "other-key" });
    assert.deepEqual(await prove(new Uint8Array(publicKey.length)), { proof: "other-key" });
  }
  const any: CardPublicKey = {
    algorithm: PIV_ALGORITHM.eccP256,
    publicKey: p256.getPublicKey(p256.utils.randomSecretKey(), false),
  };
  const empty = await proveKey(piv, 0x95, { ...any, seed: seed() });
  assert.equal(empty.proof, "refused");
  const used = seed();
  await proveKey(piv, 0x9d, { ...any, seed: used });
  assert.ok(used.every((byte) => byte === 0), "the seed is wiped");
});

Deno.test("cards that lie: a replayed answer, a chosen answer, another card's metadata", async () => {
  const { piv, card } = await administered();
  await piv.verifyPin(bytes("123456"));
  const algorithm = PIV_ALGORITHM.x25519;
  const publicKey = await piv.generateKey(0x82, { algorithm });
  const honest = await piv.agree(0x82, { algorithm, peer: publicKey });
  const answer = encodeTlv(0x7c, encodeTlv(0x82, honest));
  const replaying = new PivClient({
    transmit: () => Promise.resolve(concat(answer, Uint8Array.of(0x90, 0))),
  });
  const replayed = await proveKey(replaying, 0x82, { algorithm, publicKey, seed: seed() });
  assert.deepEqual(replayed, { proof: "other-key" });
  const zero = new PivClient({
    transmit: () =>
      Promise.resolve(
        concat(encodeTlv(0x7c, encodeTlv(0x82, new Uint8Array(32))), Uint8Array.of(0x90, 0)),
      ),
  });
  const chosen = await proveKey(zero, 0x82, { algorithm, publicKey, seed: seed() });
  assert.deepEqual(chosen, { proof: "other-key" });

  // Two cards with one serial number and one GUID: only the key tells them apart.
  const { piv: twin } = await administered(card.state);
  await twin.generateKey(0x82, { algorithm });
  await twin.verifyPin(bytes("123456"));
  assert.equal(await twin.cardId(), await piv.cardId());
  assert.equal(await twin.serial(), await piv.serial());
  const mistaken = await proveKey(twin, 0x82, { algorithm, publicKey, seed: seed() });
  const told = await twin.metadata(0x82);
  assert.ok(told?.publicKey);
  if (isSameKey({ algorithm, publicKey: told.publicKey }, { algorithm, publicKey })) {
    assert.fail("the test's cards draw the same keys");
  }
  assert.deepEqual(mistaken, { proof: "other-key" });
});

Deno.test("a card that names fixed tags only has none of ours, and is no broken card", async () => {
  for (const sw of [0x6a80, 0x6a81, 0x6a82, 0x6a88]) {
    const strict = new PivClient(scripted(Uint8Array.of(sw >> 8, sw & 0xff)));
    assert.equal(await strict.getObject(0x5f4000), undefined);
  }
});
