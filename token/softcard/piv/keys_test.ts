import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { constants, createPublicKey, publicEncrypt, verify as verifyBy } from "node:crypto";
import { ed25519, x25519 } from "@noble/curves/ed25519.js";
import { p256 } from "@noble/curves/nist.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { SW } from "../../apdu/status.ts";
import { concat, encodeTlv, findTlv } from "../../apdu/tlv.ts";
import { PIV_ALGORITHM, PIV_INS, YUBICO_INS } from "../../piv/constants.ts";
import { TestCard } from "../test_card.ts";

const { eccP256, ed25519: ED25519, x25519: X25519, rsa2048 } = PIV_ALGORITHM;

Deno.test("generating needs the administrator, a slot and a known algorithm", () => {
  const card = new TestCard();
  const control = Uint8Array.of(0xac, 3, 0x80, 1, eccP256);
  const generate = (slot: number, data = control) =>
    card.send([PIV_INS.generateAsymmetric, 0, slot], data).sw;
  assert.equal(generate(0x9a), SW.SECURITY_STATUS_NOT_SATISFIED);
  card.beAdministrator();
  assert.equal(generate(0x9a), SW.OK);
  assert.equal(generate(0x9b), SW.INCORRECT_P1P2);
  assert.equal(generate(0x96), SW.INCORRECT_P1P2);
  assert.equal(generate(0x95), SW.OK);
  assert.equal(generate(0x9a, Uint8Array.of(0xac, 3, 0x80, 1, 0x14)), SW.INCORRECT_DATA, "P-384");
  assert.equal(generate(0x9a, Uint8Array.of(0xac, 3, 0x80, 1, 0x99)), SW.INCORRECT_DATA);
  assert.equal(generate(0x9a, Uint8Array.of(0xac, 0)), SW.INCORRECT_DATA);
  const touch = Uint8Array.of(0xac, 6, 0x80, 1, eccP256, 0xab, 1, 2);
  assert.equal(generate(0x9a, touch), SW.INCORRECT_DATA, "no touch in software");
});

Deno.test("P-256: signatures verify, agreements agree, points off the curve are refused", () => {
  const card = unlocked();
  const point = card.generate(0x9d, eccP256);
  assert.equal(point.length, 65);
  const use = { algorithm: eccP256, key: 0x9d };
  const hash = sha256(new TextEncoder().encode("message"));
  const signature = card.use(use, [0x81, hash]).data;
  assert.ok(p256.verify(signature, hash, point, { prehash: false, lowS: false, format: "der" }));
  const peer = p256.utils.randomSecretKey();
  const shared = card.use(use, [0x85, p256.getPublicKey(peer, false)]).data;
  assert.deepEqual(shared, p256.getSharedSecret(peer, point).slice(1));
  const off = point.slice();
  off[64] = (off[64] ?? 0) ^ 1;
  for (const bad of [off, point.slice(0, 64), new Uint8Array(65), new Uint8Array(0)]) {
    assert.equal(card.use(use, [0x85, bad]).sw, SW.INCORRECT_DATA);
  }
  for (const bad of [new Uint8Array(0), new Uint8Array(65)]) {
    assert.equal(card.use(use, [0x81, bad]).sw, SW.INCORRECT_DATA);
  }
});

Deno.test("Ed25519 signs messages and does nothing else", () => {
  const card = unlocked();
  const point = card.generate(0x9a, ED25519);
  const use = { algorithm: ED25519, key: 0x9a };
  const message = new Uint8Array(200).fill(9);
  assert.ok(ed25519.verify(card.use(use, [0x81, message]).data, message, point));
  assert.equal(card.use(use, [0x85, point]).sw, SW.INCORRECT_DATA);
});

Deno.test("X25519 agrees, refuses small-order points, and signs nothing", () => {
  const card = unlocked();
  const peer = Uint8Array.from({ length: 32 }, (_, i) => i);
  for (const slot of [0x9d, 0x82, 0x95]) {
    const point = card.generate(slot, X25519);
    const use = { algorithm: X25519, key: slot };
    const shared = card.use(use, [0x85, x25519.getPublicKey(peer)]);
    assert.deepEqual(shared.data, x25519.getSharedSecret(peer, point));
    const one = new Uint8Array(32);
    one[0] = 1;
    assert.equal(card.use(use, [0x85, new Uint8Array(32)]).sw, SW.INCORRECT_DATA);
    assert.equal(card.use(use, [0x85, one]).sw, SW.INCORRECT_DATA);
    assert.equal(card.use(use, [0x85, new Uint8Array(31)]).sw, SW.INCORRECT_DATA);
    assert.equal(card.use(use, [0x81, new Uint8Array(32)]).sw, SW.INCORRECT_DATA);
  }
});

Deno.test("RFC 7748 section 5.2: an imported X25519 key gives the published result", () => {
  const card = unlocked();
  const secret = "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4";
  const peer = "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c";
  const result = "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552";
  assert.equal(card.hex(`00fee19d22 0820${secret}`).sw, SW.OK);
  const shared = card.use(
    { algorithm: X25519, key: 0x9d },
    [0x85, new Uint8Array(Buffer.from(peer, "hex"))],
  );
  assert.equal(Buffer.from(shared.data).toString("hex"), result);
});

Deno.test("RSA-2048 signs and deciphers by the raw operation, under chaining", () => {
  const card = unlocked();
  const members = card.generate(0x9a, rsa2048);
  const n = Buffer.from(findTlv(members, 0x81) ?? []).toString("base64url");
  const key = createPublicKey({ format: "jwk", key: { kty: "RSA", n, e: "AQAB" } });
  const use = { algorithm: rsa2048, key: 0x9a };
  const message = Buffer.from("message");
  // RFC 8017 section 9.2, EMSA-PKCS1-v1_5 with SHA-256.
  const digestInfo = concat(
    new Uint8Array(Buffer.from("3031300d060960864801650304020105000420", "hex")),
    sha256(message),
  );
  const padded = new Uint8Array(256).fill(0xff);
  padded.set([0, 1]);
  padded[255 - digestInfo.length] = 0;
  padded.set(digestInfo, 256 - digestInfo.length);
  const first = card.use(use, [0x81, padded]);
  const signature = first.data;
  assert.equal(signature.length, 256);
  assert.ok(verifyBy("sha256", message, key, signature));
  const encrypted = publicEncrypt({ key, padding: constants.RSA_PKCS1_PADDING }, message);
  const opened = card.use(use, [0x81, new Uint8Array(encrypted)]).data;
  assert.deepEqual(opened.slice(-7), new Uint8Array(message));
  assert.equal(card.use(use, [0x81, new Uint8Array(256).fill(0xff)]).sw, SW.INCORRECT_DATA);
  assert.equal(card.use(use, [0x81, new Uint8Array(255)]).sw, SW.INCORRECT_DATA);
});

Deno.test("imported keys work, and what is no key is refused", () => {
  const card = unlocked();
  const scalar = p256.utils.randomSecretKey();
  const data = encodeTlv(0x06, scalar);
  assert.equal(card.send([YUBICO_INS.importKey, eccP256, 0x9a], data).sw, SW.OK);
  const hash = sha256(data);
  const { data: signature } = card.use({ algorithm: eccP256, key: 0x9a }, [0x81, hash]);
  const point = p256.getPublicKey(scalar, false);
  assert.ok(p256.verify(signature, hash, point, { prehash: false, lowS: false, format: "der" }));
  const bad: [number, Uint8Array][] = [
    [eccP256, encodeTlv(0x06, new Uint8Array(32))],
    [eccP256, encodeTlv(0x06, new Uint8Array(32).fill(0xff))],
    [eccP256, encodeTlv(0x06, new Uint8Array(31).fill(1))],
    [eccP256, encodeTlv(0x07, scalar)],
    [rsa2048, concat(encodeTlv(1, Uint8Array.of(5)), encodeTlv(2, Uint8Array.of(7)))],
    [rsa2048, encodeTlv(1, new Uint8Array(128).fill(0xff))],
  ];
  for (const [algorithm, parts] of bad) {
    assert.equal(
      card.send([YUBICO_INS.importKey, algorithm, 0x9a], parts).sw,
      SW.INCORRECT_DATA,
    );
  }
});

Deno.test("PIN policies: 9A once, 9C every time, 9E never, retired once", () => {
  const card = new TestCard();
  card.beAdministrator();
  const sign = (key: number) =>
    card.use({ algorithm: eccP256, key }, [0x81, new Uint8Array(32)]).sw;
  for (const slot of [0x9a, 0x9c, 0x9e, 0x83]) card.generate(slot, eccP256);
  assert.equal(sign(0x9e), SW.OK);
  for (const slot of [0x9a, 0x9c, 0x83]) {
    assert.equal(sign(slot), SW.SECURITY_STATUS_NOT_SATISFIED);
  }
  card.verify("123456");
  assert.deepEqual([sign(0x9e), sign(0x9c)], [SW.OK, SW.OK]);
  assert.equal(sign(0x9c), SW.SECURITY_STATUS_NOT_SATISFIED, "each use wants the PIN");
  assert.deepEqual([sign(0x9a), sign(0x9a), sign(0x83)], [SW.OK, SW.OK, SW.OK]);
  card.verify("123456");
  assert.equal(sign(0x9a), SW.OK);
  assert.equal(sign(0x9c), SW.SECURITY_STATUS_NOT_SATISFIED, "another key was used in between");
  card.card.powerUp();
  assert.equal(sign(0x9a), SW.SECURITY_STATUS_NOT_SATISFIED);
});

Deno.test("a policy that the command asks for goes before the slot's own", () => {
  const card = new TestCard();
  card.beAdministrator();
  card.generate(0x9a, eccP256, 0xaa, 1, 1);
  const use = { algorithm: eccP256, key: 0x9a };
  assert.equal(card.use(use, [0x81, new Uint8Array(32)]).sw, SW.OK);
  assert.equal(card.card.state.piv.keys.get(0x9a)?.sealed, false);
});

Deno.test("no private key that needs a PIN lies in the state as it is", () => {
  const card = unlocked();
  const scalar = p256.utils.randomSecretKey();
  card.send([YUBICO_INS.importKey, eccP256, 0x9d], encodeTlv(0x06, scalar));
  const stored = Buffer.from(card.card.state.piv.keys.get(0x9d)?.secret ?? []);
  assert.equal(stored.includes(Buffer.from(scalar)), false);
});

Deno.test("wrong key, wrong algorithm, wrong template", () => {
  const card = unlocked();
  card.generate(0x9a, eccP256);
  const member: [number, Uint8Array] = [0x81, new Uint8Array(32)];
  assert.equal(card.use({ algorithm: eccP256, key: 0x9d }, member).sw, SW.REFERENCE_NOT_FOUND);
  assert.equal(card.use({ algorithm: eccP256, key: 0xf9 }, member).sw, SW.REFERENCE_NOT_FOUND);
  assert.equal(card.use({ algorithm: rsa2048, key: 0x9a }, member).sw, SW.INCORRECT_P1P2);
  const use = { algorithm: eccP256, key: 0x9a };
  assert.equal(card.authenticate(use, member).sw, SW.INCORRECT_DATA, "no result asked for");
  assert.equal(card.authenticate(use, [0x82, new Uint8Array(0)]).sw, SW.INCORRECT_DATA);
  assert.equal(card.authenticate(use, member, member).sw, SW.INCORRECT_DATA);
  assert.equal(card.hex("0087119a027c05").sw, SW.INCORRECT_DATA);
});

function unlocked(): TestCard {
  const card = new TestCard();
  card.beAdministrator();
  card.verify("123456");
  return card;
}
