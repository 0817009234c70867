import assert from "node:assert/strict";
import { SW } from "../../apdu/status.ts";
import { findTlv } from "../../apdu/tlv.ts";
import { LARGEST_OBJECT, OBJECT_TAG } from "../../piv/constants.ts";
import { TestCard } from "../test_card.ts";
import { freeSpace, OBJECT_SPACE } from "./objects.ts";

Deno.test("a new card says who it is", () => {
  const card = new TestCard();
  const chuid = findTlv(card.get(OBJECT_TAG.cardHolderUniqueId).data, 0x53);
  assert.ok(chuid);
  assert.equal(findTlv(chuid, 0x34)?.length, 16);
  assert.equal(card.get(OBJECT_TAG.cardCapabilityContainer).sw, SW.OK);
  const discovery = card.get(OBJECT_TAG.discovery);
  const template = findTlv(discovery.data, 0x7e);
  assert.ok(template);
  assert.deepEqual(findTlv(template, 0x5f2f), Uint8Array.of(0x40, 0));
  assert.equal(card.get(OBJECT_TAG.authenticationCertificate).sw, SW.FILE_NOT_FOUND);
});

Deno.test("only the administrator writes; empty content deletes", () => {
  const card = new TestCard();
  assert.equal(card.put(0x5f4000, Uint8Array.of(1)), SW.SECURITY_STATUS_NOT_SATISFIED);
  card.beAdministrator();
  assert.equal(card.put(0x5f4000, Uint8Array.of(1)), SW.OK);
  assert.deepEqual(findTlv(card.get(0x5f4000).data, 0x53), Uint8Array.of(1));
  assert.equal(card.put(0x5f4000, new Uint8Array(0)), SW.OK);
  assert.equal(card.get(0x5f4000).sw, SW.FILE_NOT_FOUND);
  assert.equal(card.put(0x7e, Uint8Array.of(1)), SW.FUNCTION_NOT_SUPPORTED);
  assert.equal(card.put(0x6f4000, Uint8Array.of(1)), SW.FUNCTION_NOT_SUPPORTED);
  assert.equal(card.hex("00db3fff 03 530101").sw, SW.INCORRECT_DATA);
  assert.equal(card.hex("00db3ffe 08 5c035f4000530101").sw, SW.INCORRECT_P1P2);
});

Deno.test("printed information and biometrics are read with the PIN only, and lie sealed", () => {
  const card = new TestCard();
  card.beAdministrator();
  const secret = new TextEncoder().encode("a template of a finger");
  assert.equal(card.put(OBJECT_TAG.fingerprints, secret), SW.OK);
  assert.equal(card.get(OBJECT_TAG.fingerprints).sw, SW.SECURITY_STATUS_NOT_SATISFIED);
  const stored = card.card.state.piv.objects.get(OBJECT_TAG.fingerprints);
  assert.equal(stored?.sealed, true);
  assert.equal(new TextDecoder().decode(stored?.bytes).includes("template"), false);
  card.verify("123456");
  assert.deepEqual(findTlv(card.get(OBJECT_TAG.fingerprints).data, 0x53), secret);
});

Deno.test("space is accounted for: full is said, deleting makes room", () => {
  const card = new TestCard();
  card.beAdministrator();
  const large = new Uint8Array(LARGEST_OBJECT);
  assert.equal(card.put(0x5f4000, new Uint8Array(LARGEST_OBJECT + 1)), SW.NOT_ENOUGH_MEMORY);
  let written = 0;
  while (card.put(0x5f4000 + written, large) === SW.OK) written++;
  assert.equal(written, Math.floor((OBJECT_SPACE - 700) / (LARGEST_OBJECT + 8)));
  const left = freeSpace(card.card.state.piv);
  assert.ok(left < LARGEST_OBJECT);
  assert.equal(card.put(0x5f40ff, new Uint8Array(left + 1)), SW.NOT_ENOUGH_MEMORY);
  assert.equal(card.put(0x5f40ff, new Uint8Array(left)), SW.OK);
  assert.equal(freeSpace(card.card.state.piv), 0);
  assert.equal(card.put(0x5f4000, large), SW.OK, "writing over an object needs no more room");
  assert.equal(card.put(0x5f4000, new Uint8Array(0)), SW.OK);
  assert.equal(card.put(0x5f40fe, large), SW.OK);
});

Deno.test("a write that can't be saved is refused and changes nothing", () => {
  const card = new TestCard();
  card.beAdministrator();
  card.put(0x5f4000, Uint8Array.of(1));
  card.isDiskFull = true;
  assert.equal(card.put(0x5f4000, Uint8Array.of(2)), SW.MEMORY_FAILURE);
  assert.deepEqual(findTlv(card.get(0x5f4000).data, 0x53), Uint8Array.of(1));
});
