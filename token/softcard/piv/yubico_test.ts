import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { SW } from "../../apdu/status.ts";
import { findTlv } from "../../apdu/tlv.ts";
import { OBJECT_TAG, YUBICO_INS } from "../../piv/constants.ts";
import { TestCard } from "../test_card.ts";

Deno.test("GET VERSION and GET SERIAL", () => {
  const card = new TestCard();
  assert.deepEqual(card.hex("00fd000000").data, Uint8Array.of(5, 7, 0));
  assert.deepEqual(card.hex("00f8000000").data, Uint8Array.of(0x00, 0xbc, 0x61, 0x4e));
  assert.equal(card.hex("00fd010000").sw, SW.INCORRECT_P1P2);
});

Deno.test("GET METADATA tells tries, defaults and keys, and changes with them", () => {
  const card = new TestCard();
  const metadata = (reference: number) => card.send([YUBICO_INS.getMetadata, 0, reference]);
  card.verify("000000");
  assert.deepEqual(findTlv(metadata(0x80).data, 6), Uint8Array.of(3, 2));
  assert.deepEqual(findTlv(metadata(0x80).data, 5), Uint8Array.of(1));
  assert.deepEqual(findTlv(metadata(0x81).data, 6), Uint8Array.of(3, 3));
  assert.deepEqual(findTlv(metadata(0x9b).data, 1), Uint8Array.of(3));
  assert.equal(metadata(0x00).sw, SW.REFERENCE_NOT_FOUND);
  assert.equal(metadata(0x9c).sw, SW.REFERENCE_NOT_FOUND);
  card.beAdministrator();
  const point = card.generate(0x9c, 0x11);
  const key = metadata(0x9c).data;
  assert.deepEqual(findTlv(key, 1), Uint8Array.of(0x11));
  assert.deepEqual(findTlv(key, 2), Uint8Array.of(3, 1));
  assert.deepEqual(findTlv(key, 3), Uint8Array.of(1));
  assert.deepEqual(findTlv(findTlv(key, 4) ?? point, 0x86), point);
});

Deno.test("SET PIN RETRIES wants administrator and PIN, and puts both back to the factory's", () => {
  const card = new TestCard();
  const set = (pin: number, puk: number) => card.send([YUBICO_INS.setPinRetries, pin, puk]).sw;
  assert.equal(set(5, 6), SW.SECURITY_STATUS_NOT_SATISFIED);
  card.beAdministrator();
  assert.equal(set(5, 6), SW.SECURITY_STATUS_NOT_SATISFIED);
  card.verify("123456");
  assert.equal(set(0, 6), SW.INCORRECT_P1P2);
  assert.equal(set(5, 16), SW.INCORRECT_P1P2);
  assert.equal(set(5, 6), SW.OK);
  card.card.powerUp();
  assert.equal(card.verify("000000"), 0x63c4);
  assert.equal(card.verify("123456"), SW.OK);
  assert.equal(card.hex("00200080").sw, SW.OK);
});

Deno.test("RESET: only when PIN and PUK are blocked, and then nothing is left but the attester", () => {
  const card = new TestCard();
  card.beAdministrator();
  card.generate(0x9a, 0x11);
  card.put(0x5f4000, Uint8Array.of(1));
  const chuid = card.get(OBJECT_TAG.cardHolderUniqueId).data;
  assert.equal(card.send([YUBICO_INS.reset, 0, 0]).sw, SW.CONDITIONS_NOT_SATISFIED);
  for (let i = 0; i < 3; i++) card.verify("000000");
  assert.equal(card.send([YUBICO_INS.reset, 0, 0]).sw, SW.CONDITIONS_NOT_SATISFIED);
  const wrong = "3030303030303030" + "3131313131313131";
  for (let i = 0; i < 3; i++) card.hex(`002c0080 10 ${wrong}`);
  const attester = card.get(OBJECT_TAG.yubicoAttestationCertificate).data;
  assert.equal(card.send([YUBICO_INS.reset, 0, 0]).sw, SW.OK);
  assert.equal(card.get(0x5f4000).sw, SW.FILE_NOT_FOUND);
  assert.deepEqual([...card.card.state.piv.keys.keys()], [0xf9]);
  assert.notDeepEqual(card.get(OBJECT_TAG.cardHolderUniqueId).data, chuid);
  assert.deepEqual(card.get(OBJECT_TAG.yubicoAttestationCertificate).data, attester);
  assert.equal(card.put(0x5f4000, Uint8Array.of(1)), SW.SECURITY_STATUS_NOT_SATISFIED);
  assert.equal(card.verify("123456"), SW.OK);
});

Deno.test("ATTEST: a certificate about a key made here, signed by the card's attester", () => {
  const card = new TestCard();
  card.beAdministrator();
  const attest = (slot: number) => card.whole(card.send([YUBICO_INS.attest, slot, 0]));
  const object = findTlv(card.whole(card.get(OBJECT_TAG.yubicoAttestationCertificate)).data, 0x53);
  assert.ok(object);
  const issuer = new X509Certificate(findTlv(object, 0x70) ?? object);
  for (const algorithm of [0x11, 0xe0, 0xe1, 0x07]) {
    card.generate(0x9a, algorithm);
    const { sw, data } = attest(0x9a);
    assert.equal(sw, SW.OK);
    const certificate = new X509Certificate(data);
    assert.equal(certificate.issuer, issuer.subject);
    assert.match(certificate.subject, /9a$/);
  }
  assert.equal(attest(0x9d).sw, SW.REFERENCE_NOT_FOUND);
  assert.equal(attest(0xf9).sw, SW.INCORRECT_P1P2);
  card.send([YUBICO_INS.importKey, 0xe1, 0x9d], Uint8Array.of(8, 32, ...new Uint8Array(32)));
  assert.equal(attest(0x9d).sw, SW.INCORRECT_DATA, "imported, so not made here");
});
