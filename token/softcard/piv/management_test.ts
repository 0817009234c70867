import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { SW } from "../../apdu/status.ts";
import { findTlv } from "../../apdu/tlv.ts";
import { YUBICO_INS } from "../../piv/constants.ts";
import type { BlockAlgorithm } from "../crypto.ts";
import { DEFAULT_MANAGEMENT_KEY } from "../factory.ts";
import { softwareCrypto } from "../software_crypto.ts";
import { cheapCard, TestCard } from "../test_card.ts";
import { BLOCK_CIPHERS } from "./management.ts";

const NOTHING = new Uint8Array(0);

Deno.test("the challenge form: only the right answer, once, and right after the challenge", () => {
  const card = new TestCard();
  const use = { algorithm: 0x03, key: 0x9b };
  const key = { algorithm: "3DES", bytes: DEFAULT_MANAGEMENT_KEY } as const;
  const answerTo = (challenge: Uint8Array) => softwareCrypto.block("encrypt", key, challenge);
  const challenge = () => member(card.authenticate(use, [0x81, NOTHING]).data, 0x81);
  assert.equal(card.authenticate(use, [0x82, new Uint8Array(8)]).sw, SW.CONDITIONS_NOT_SATISFIED);
  const first = challenge();
  assert.equal(
    card.authenticate(use, [0x82, new Uint8Array(8)]).sw,
    SW.SECURITY_STATUS_NOT_SATISFIED,
  );
  assert.equal(card.authenticate(use, [0x82, answerTo(first)]).sw, SW.CONDITIONS_NOT_SATISFIED);
  assert.equal(card.put(0x5f4000, Uint8Array.of(1)), SW.SECURITY_STATUS_NOT_SATISFIED);
  assert.equal(card.authenticate(use, [0x82, answerTo(challenge())]).sw, SW.OK);
  assert.equal(card.put(0x5f4000, Uint8Array.of(1)), SW.OK);
  card.card.powerUp();
  assert.equal(card.put(0x5f4000, Uint8Array.of(1)), SW.SECURITY_STATUS_NOT_SATISFIED);
});

Deno.test("the card encrypts nobody's challenge before the other side proved itself", () => {
  const card = new TestCard();
  const use = { algorithm: 0x03, key: 0x9b };
  const { sw, data } = card.authenticate(use, [0x81, new Uint8Array(8)], [0x82, NOTHING]);
  assert.notEqual(sw, SW.OK);
  assert.equal(data.length, 0);
  card.authenticate(use, [0x80, NOTHING]);
  const guess = card.authenticate(use, [0x80, new Uint8Array(8)], [0x81, new Uint8Array(8)]);
  assert.equal(guess.sw, SW.SECURITY_STATUS_NOT_SATISFIED);
  assert.equal(guess.data.length, 0);
});

for (const [name, { id, keyLength, blockLength }] of Object.entries(BLOCK_CIPHERS)) {
  Deno.test(`the mutual form with ${name}, after SET MANAGEMENT KEY`, () => {
    const card = new TestCard();
    card.beAdministrator();
    const bytes = Uint8Array.from({ length: keyLength }, (_, i) => 200 - i * 3);
    const set = Uint8Array.of(id, 0x9b, keyLength, ...bytes);
    assert.equal(card.send([YUBICO_INS.setManagementKey, 0xff, 0xff], set).sw, SW.OK);
    card.card.powerUp();
    const use = { algorithm: id, key: 0x9b };
    const key = { algorithm: name as BlockAlgorithm, bytes };
    const witness = member(card.authenticate(use, [0x80, NOTHING]).data, 0x80);
    const challenge = Uint8Array.from({ length: blockLength }, (_, i) => i);
    const answer = card.authenticate(
      use,
      [0x80, softwareCrypto.block("decrypt", key, witness)],
      [0x81, challenge],
    );
    assert.equal(answer.sw, SW.OK);
    assert.deepEqual(member(answer.data, 0x82), softwareCrypto.block("encrypt", key, challenge));
    assert.equal(card.put(0x5f4000, Uint8Array.of(1)), SW.OK);
  });
}

Deno.test("a card made with an AES-192 management key wants that algorithm", () => {
  const card = new TestCard(cheapCard({ management: "AES-192" }));
  assert.equal(
    card.authenticate({ algorithm: 3, key: 0x9b }, [0x81, NOTHING]).sw,
    SW.INCORRECT_P1P2,
  );
  assert.equal(card.authenticate({ algorithm: 0x0a, key: 0x9b }, [0x81, NOTHING]).sw, SW.OK);
});

Deno.test("SET MANAGEMENT KEY refuses wrong lengths, touch and strangers", () => {
  const card = new TestCard();
  const key = "039b18" + Buffer.alloc(24, 7).toString("hex");
  assert.equal(card.hex(`00ffffff1b${key}`).sw, SW.SECURITY_STATUS_NOT_SATISFIED);
  card.beAdministrator();
  assert.equal(card.hex(`00fffffe1b${key}`).sw, SW.INCORRECT_P1P2, "touch");
  assert.equal(card.hex("00ffffff04039b0107").sw, SW.WRONG_LENGTH);
  assert.equal(card.hex(`00ffffff1b${key.replace("039b", "119b")}`).sw, SW.INCORRECT_DATA);
  assert.equal(card.hex(`00ffffff1b${key}`).sw, SW.OK);
});

function member(data: Uint8Array, tag: number): Uint8Array {
  const template = findTlv(data, 0x7c);
  const value = template && findTlv(template, tag);
  assert.ok(value);
  return value;
}
