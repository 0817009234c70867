import assert from "node:assert/strict";
import { ed25519, x25519 } from "@noble/curves/ed25519.js";
import { p256 } from "@noble/curves/nist.js";
import { SW } from "../../apdu/status.ts";
import { concat, encodeTlv, findTlv, parseTlvs } from "../../apdu/tlv.ts";
import { decodeState, encodeState } from "../state_codec.ts";
import { cheapCard, TestCard } from "../test_card.ts";
import { X25519_ATTRIBUTES } from "./algorithms.ts";
import { LONGEST, OPENPGP_RID, SW_TERMINATED } from "./constants.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);
const PW1 = utf8("123456");
const PW3 = utf8("12345678");

Deno.test("SELECT by the application's name, with its version, and whole; other cards' names not", () => {
  const card = new TestCard(cheapCard());
  const whole = Uint8Array.fromHex("d276000124010304fffe123456780000");
  for (const length of [6, 8, 16]) {
    assert.equal(card.send([0xa4, 4, 0], whole.slice(0, length)).sw, SW.OK);
  }
  assert.deepEqual(card.hex("00ca004f00").data, whole, "the serial number is the printed one");
  for (const name of ["d27600012402", "d276000124010200", "d276000124010304fffe000000010000"]) {
    const { sw } = card.send([0xa4, 4, 0], Uint8Array.fromHex(name));
    assert.equal(sw, SW.FILE_NOT_FOUND, name);
  }
});

Deno.test("VERIFY: three uses, two passwords, one count each", () => {
  const card = openPgpCard();
  for (const p2 of [0x81, 0x82, 0x83]) {
    assert.equal(card.send([0x20, 0, p2]).sw, 0x63c3);
    assert.equal(card.send([0x20, 0, p2], p2 === 0x83 ? PW3 : PW1).sw, SW.OK);
    assert.equal(card.send([0x20, 0, p2]).sw, SW.OK);
    assert.equal(card.send([0x20, 0xff, p2]).sw, SW.OK);
    assert.equal(card.send([0x20, 0, p2]).sw, 0x63c3);
  }
  assert.equal(card.send([0x20, 0, 0x81], utf8("000000")).sw, 0x63c2);
  assert.equal(card.send([0x20, 0, 0x82], utf8("000000")).sw, 0x63c1, "PW1 is one password");
  assert.equal(card.send([0x20, 0, 0x83]).sw, 0x63c3);
  assert.equal(card.send([0x20, 0, 0x81], utf8("000000")).sw, SW.AUTH_METHOD_BLOCKED);
  assert.equal(card.send([0x20, 0, 0x82], PW1).sw, SW.AUTH_METHOD_BLOCKED);
  assert.equal(card.send([0x20, 0, 0x80], PW1).sw, SW.INCORRECT_P1P2);
  assert.equal(card.send([0x20, 0, 0x83], new Uint8Array(65)).sw, SW.INCORRECT_DATA);
  assert.equal(card.send([0x20, 0, 0x83]).sw, 0x63c3, "what can't be one costs no try");
});

Deno.test("a password is changed by the old one, of another length too", () => {
  const card = openPgpCard();
  assert.equal(card.send([0x24, 0, 0x81], concat(PW1, utf8("a longer one"))).sw, SW.OK);
  assert.equal(card.send([0x20, 0, 0x82], PW1).sw, 0x63c2);
  assert.equal(card.send([0x20, 0, 0x82], utf8("a longer one")).sw, SW.OK);
  assert.equal(card.send([0x24, 0, 0x83], concat(PW3, utf8("short"))).sw, SW.INCORRECT_DATA);
  assert.equal(card.send([0x20, 0, 0x83], PW3).sw, SW.OK);
  assert.equal(card.send([0x24, 0, 0x82], concat(PW1, PW1)).sw, SW.INCORRECT_P1P2);
});

Deno.test("blocked PW1: the administrator or the resetting code gives a new one", () => {
  const card = openPgpCard();
  const block = () => {
    for (let i = 0; i < 3; i++) card.send([0x20, 0, 0x81], utf8("000000"));
    assert.equal(card.send([0x20, 0, 0x81]).sw, SW.AUTH_METHOD_BLOCKED);
  };
  const keys = card.card.state.openPgp?.vault;
  block();
  assert.equal(
    card.send([0x2c, 0x02, 0x81], utf8("654321")).sw,
    SW.SECURITY_STATUS_NOT_SATISFIED,
  );
  assert.equal(card.send([0x2c, 0x00, 0x81], utf8("12345678654321")).sw, SW.AUTH_METHOD_BLOCKED);
  card.send([0x20, 0, 0x83], PW3);
  assert.equal(card.send([0x2c, 0x02, 0x81], utf8("654321")).sw, SW.OK);
  assert.equal(card.send([0x20, 0, 0x82], utf8("654321")).sw, SW.OK);
  assert.equal(card.send([0xda, 0, 0xd3], utf8("reset me")).sw, SW.OK);
  assert.deepEqual([...card.hex("00ca00c400").data.subarray(4)], [3, 3, 3]);
  block();
  assert.equal(card.send([0x2c, 0x00, 0x81], utf8("reset you777777")).sw, 0x63c2);
  assert.equal(card.send([0x2c, 0x00, 0x81], utf8("reset me777777")).sw, SW.OK);
  assert.equal(card.send([0x20, 0, 0x82], utf8("777777")).sw, SW.OK);
  assert.deepEqual(card.card.state.openPgp?.vault, keys, "nothing was lost");
});

Deno.test("private objects: who reads and who writes each", () => {
  const card = openPgpCard();
  const put = (tag: number, data = utf8("content")) =>
    card.send([0xda, tag >> 8, tag & 0xff], data);
  const get = (tag: number) => card.send([0xca, tag >> 8, tag & 0xff]);
  const denied = SW.SECURITY_STATUS_NOT_SATISFIED;
  const words = (run: (tag: number) => { sw: number }) =>
    [0x0101, 0x0102, 0x0103, 0x0104].map((tag) => run(tag).sw);
  assert.deepEqual(words(put), [denied, denied, denied, denied]);
  assert.deepEqual(words(get), [SW.OK, SW.OK, denied, denied]);
  card.send([0x20, 0, 0x82], PW1);
  assert.deepEqual(words(put), [SW.OK, denied, SW.OK, denied]);
  assert.deepEqual(words(get), [SW.OK, SW.OK, SW.OK, denied]);
  card.send([0x20, 0xff, 0x82]);
  card.send([0x20, 0, 0x83], PW3);
  assert.deepEqual(words(put), [denied, SW.OK, denied, SW.OK]);
  assert.deepEqual(words(get), [SW.OK, SW.OK, denied, SW.OK]);
  card.send([0x20, 0, 0x82], PW1);
  for (const tag of [0x0101, 0x0102, 0x0103, 0x0104]) {
    assert.deepEqual(get(tag).data, utf8("content"), tag.toString(16));
  }
  const objects = card.card.state.openPgp?.objects;
  assert.deepEqual(objects?.get(0x0101), utf8("content"));
  for (const tag of [0x0103, 0x0104]) {
    const text = new TextDecoder().decode(objects?.get(tag));
    assert.ok(!text.includes("content"), "what needs a password lies sealed");
  }
  const largest = new Uint8Array(LONGEST.special).fill(7);
  assert.equal(put(0x0103, largest).sw, SW.OK);
  assert.equal(put(0x0103, new Uint8Array(LONGEST.special + 1)).sw, SW.WRONG_LENGTH);
  assert.deepEqual(card.whole(get(0x0103)).data, largest);
  put(0x0103, new Uint8Array(0));
  assert.equal(get(0x0103).data.length, 0);
});

Deno.test("X25519: generated, agrees, and only with PW1", () => {
  const card = openPgpCard();
  assert.equal(card.hex("0047800002b80000").sw, SW.SECURITY_STATUS_NOT_SATISFIED);
  card.send([0x20, 0, 0x83], PW3);
  const made = card.hex("0047800002b80000");
  const point = findTlv(findTlv(made.data, 0x7f49) ?? made.data, 0x86);
  assert.ok(point?.length === 32);
  assert.deepEqual(card.hex("0047810002b80000").data, made.data, "read again");
  const secret = new Uint8Array(32).fill(9);
  const decipher = agreement(x25519.getPublicKey(secret));
  assert.equal(card.send([0x2a, 0x80, 0x86], decipher).sw, SW.SECURITY_STATUS_NOT_SATISFIED);
  card.send([0x20, 0, 0x81], PW1);
  assert.equal(card.send([0x2a, 0x80, 0x86], decipher).sw, SW.SECURITY_STATUS_NOT_SATISFIED);
  card.send([0x20, 0, 0x82], PW1);
  const shared = card.send([0x2a, 0x80, 0x86], decipher);
  assert.deepEqual(shared.data, x25519.getSharedSecret(secret, point));
  const prefixed = agreement(concat(Uint8Array.of(0x40), x25519.getPublicKey(secret)));
  assert.deepEqual(card.send([0x2a, 0x80, 0x86], prefixed).data, shared.data);
  for (
    const bad of [new Uint8Array(32), new Uint8Array(31), new Uint8Array(33), new Uint8Array(0)]
  ) {
    assert.equal(card.send([0x2a, 0x80, 0x86], agreement(bad)).sw, SW.INCORRECT_DATA);
  }
});

Deno.test("X25519 imported: OpenPGP writes the number the highest byte first", () => {
  const card = openPgpCard();
  card.send([0x20, 0, 0x83], PW3);
  const secret = Uint8Array.from({ length: 32 }, (_, i) => i * 7 + 1);
  const header = encodeTlv(
    0x4d,
    concat(
      Uint8Array.of(0xb8, 0x00),
      encodeTlv(0x7f48, Uint8Array.of(0x92, 0x20)),
      encodeTlv(0x5f48, secret.toReversed()),
    ),
  );
  assert.equal(card.send([0xdb, 0x3f, 0xff], header).sw, SW.OK);
  card.send([0x20, 0, 0x82], PW1);
  const peer = new Uint8Array(32).fill(5);
  const { data } = card.send([0x2a, 0x80, 0x86], agreement(x25519.getPublicKey(peer)));
  assert.deepEqual(data, x25519.getSharedSecret(secret, x25519.getPublicKey(peer)));
  assert.deepEqual([...card.hex("00ca00de00").data], [1, 0, 2, 2, 3, 0]);
});

Deno.test("signatures: Ed25519 and P-256, counted, one for each PW1 unless set otherwise", () => {
  const card = openPgpCard();
  card.send([0x20, 0, 0x83], PW3);
  const point = publicPoint(card, "b600");
  const sign = (data: Uint8Array) => card.send([0x2a, 0x9e, 0x9a], data);
  assert.equal(sign(utf8("hello")).sw, SW.SECURITY_STATUS_NOT_SATISFIED);
  card.send([0x20, 0, 0x81], PW1);
  assert.ok(ed25519.verify(sign(utf8("hello")).data, utf8("hello"), point));
  assert.equal(sign(utf8("hello")).sw, SW.SECURITY_STATUS_NOT_SATISFIED, "PW1 was for one");
  assert.equal(card.send([0xda, 0, 0xc4], Uint8Array.of(1)).sw, SW.OK);
  card.send([0x20, 0, 0x81], PW1);
  assert.equal(sign(utf8("a")).sw, SW.OK);
  assert.equal(sign(utf8("b")).sw, SW.OK);
  assert.deepEqual([...card.hex("00ca009300").data], [0, 0, 3]);
  const p256Attributes = Uint8Array.fromHex("132a8648ce3d030107");
  assert.equal(card.send([0xda, 0, 0xc1], p256Attributes).sw, SW.OK);
  assert.equal(sign(utf8("c")).sw, SW.REFERENCE_NOT_FOUND, "another algorithm, another key");
  const other = publicPoint(card, "b600");
  const hash = new Uint8Array(32).fill(1);
  const signature = sign(hash).data;
  assert.equal(signature.length, 64, "r and s bare");
  assert.ok(p256.verify(signature, hash, other, { prehash: false, lowS: false }));
  assert.deepEqual([...card.hex("00ca009300").data], [0, 0, 1], "a new key counts anew");
});

Deno.test("INTERNAL AUTHENTICATE signs with its own key, with PW1", () => {
  const card = openPgpCard();
  card.send([0x20, 0, 0x83], PW3);
  const point = publicPoint(card, "a400");
  assert.equal(card.send([0x88, 0, 0], utf8("x")).sw, SW.SECURITY_STATUS_NOT_SATISFIED);
  card.send([0x20, 0, 0x82], PW1);
  assert.ok(ed25519.verify(card.send([0x88, 0, 0], utf8("x")).data, utf8("x"), point));
});

Deno.test("what it says of itself (6E) has what the specification wants, each once", () => {
  const card = openPgpCard();
  const whole = card.whole(card.hex("00ca006e00")).data;
  const members = parseTlvs(findTlv(whole, 0x6e) ?? whole);
  assert.deepEqual(members?.map(({ tag }) => tag), [0x4f, 0x5f52, 0x7f66, 0x73]);
  const inner = parseTlvs(members?.at(-1)?.value ?? whole);
  assert.deepEqual(
    inner?.map(({ tag, value }) => [tag, value.length]),
    [
      [0xc0, 10],
      [0xc1, 10],
      [0xc2, 11],
      [0xc3, 10],
      [0xc4, 7],
      [0xc5, 60],
      [0xc6, 60],
      [0xcd, 12],
      [
        0xde,
        6,
      ],
    ],
  );
  assert.equal(card.hex("00ca123400").sw, SW.REFERENCE_NOT_FOUND);
  card.send([0x20, 0, 0x83], PW3);
  assert.equal(card.send([0xda, 0, 0xc7], new Uint8Array(19)).sw, SW.WRONG_LENGTH);
  assert.equal(card.send([0xda, 0, 0xc2], Uint8Array.of(0x01, 0x10)).sw, SW.INCORRECT_DATA);
  assert.equal(card.send([0xda, 0, 0xc2], X25519_ATTRIBUTES).sw, SW.OK);
  assert.equal(card.send([0xda, 0, 0x4f], new Uint8Array(16)).sw, SW.REFERENCE_NOT_FOUND);
});

Deno.test("three certificates, by SELECT DATA and one after another", () => {
  const card = openPgpCard();
  card.send([0x20, 0, 0x83], PW3);
  const choose = (which: number) => card.send([0xa5, which, 4], Uint8Array.fromHex("60045c027f21"));
  for (const which of [0, 1, 2]) {
    assert.equal(choose(which).sw, SW.OK);
    assert.equal(card.send([0xda, 0x7f, 0x21], Uint8Array.of(which + 7)).sw, SW.OK);
  }
  assert.equal(choose(3).sw, SW.REFERENCE_NOT_FOUND);
  choose(0);
  assert.deepEqual([...card.hex("00ca7f2100").data], [7]);
  assert.deepEqual([...card.hex("00cc7f2100").data], [8]);
  assert.deepEqual([...card.hex("00cc7f2100").data], [9]);
  assert.equal(card.hex("00cc7f2100").sw, SW.REFERENCE_NOT_FOUND);
});

Deno.test("malformed key imports are refused and change nothing", () => {
  const card = openPgpCard();
  card.send([0x20, 0, 0x83], PW3);
  const before = card.card.state;
  const bad = [
    "",
    "4d00",
    "4d02b800",
    "4d06b8007f48005f4800",
    "4d0bb8007f4802922 05f4801ff".replaceAll(" ", ""),
    "4d0db8007f4804920192015f4802ffff",
    "4d0bb7007f480292015f4801ff",
    "4d0cb8007f480392810 15f4801".replaceAll(" ", ""),
  ];
  for (const digits of bad) {
    const { sw } = card.send([0xdb, 0x3f, 0xff], Uint8Array.fromHex(digits));
    assert.equal(sw, SW.INCORRECT_DATA, digits);
  }
  assert.equal(card.card.state, before);
});

Deno.test("TERMINATE and ACTIVATE: by the administrator or when all is blocked; then it is new", () => {
  const card = openPgpCard();
  assert.equal(card.hex("00e60000").sw, SW.SECURITY_STATUS_NOT_SATISFIED);
  assert.equal(card.hex("00440000").sw, SW.OK);
  for (const p2 of [0x81, 0x83]) {
    for (let i = 0; i < 3; i++) card.send([0x20, 0, p2], utf8("wrong one"));
  }
  const before = card.card.state.openPgp?.vault;
  assert.equal(card.hex("00e60000").sw, SW.OK);
  assert.equal(card.send([0xa4, 4, 0], OPENPGP_RID).sw, SW_TERMINATED);
  assert.equal(card.hex("00ca006e00").sw, SW.CONDITIONS_NOT_SATISFIED);
  assert.equal(card.send([0x20, 0, 0x81], PW1).sw, SW.CONDITIONS_NOT_SATISFIED);
  assert.equal(card.hex("00440000").sw, SW.OK);
  assert.equal(card.send([0xa4, 4, 0], OPENPGP_RID).sw, SW.OK);
  assert.equal(card.send([0x20, 0, 0x83], PW3).sw, SW.OK);
  assert.notDeepEqual(card.card.state.openPgp?.vault, before);
});

Deno.test("no key lies open in the state file, and it all comes back from there", () => {
  const card = openPgpCard();
  card.send([0x20, 0, 0x83], PW3);
  for (const which of ["b600", "b800", "a400"]) publicPoint(card, which);
  card.send([0xda, 0, 0xd3], utf8("reset me"));
  card.send([0x20, 0, 0x82], PW1);
  card.send([0xda, 1, 3], utf8("for me"));
  const { state } = card.card;
  assert.deepEqual(decodeState(encodeState(state)), state);
  const again = new TestCard(state);
  again.send([0xa4, 4, 0], OPENPGP_RID);
  again.send([0x20, 0, 0x82], PW1);
  assert.deepEqual(again.hex("00ca010300").data, utf8("for me"));
  assert.equal(again.send([0x88, 0, 0], utf8("x")).sw, SW.OK);
});

Deno.test("a card from before there was this application gets one, and keeps it", () => {
  const { openPgp: _none, ...old } = cheapCard();
  const card = new TestCard(old);
  card.send([0xa4, 4, 0], OPENPGP_RID);
  card.send([0x20, 0, 0x83], PW3);
  const point = publicPoint(card, "b800");
  const again = new TestCard(card.card.state);
  again.send([0xa4, 4, 0], OPENPGP_RID);
  assert.deepEqual(readPoint(again, "b800"), point);
});

function openPgpCard(): TestCard {
  const card = new TestCard(cheapCard());
  assert.equal(card.send([0xa4, 4, 0], OPENPGP_RID).sw, SW.OK);
  return card;
}

/** Makes a key; its public point. */
function publicPoint(card: TestCard, which: string): Uint8Array {
  assert.equal(card.hex(`0047800002${which}00`).sw, SW.OK);
  return readPoint(card, which);
}

function readPoint(card: TestCard, which: string): Uint8Array {
  const { data } = card.hex(`0047810002${which}00`);
  const point = findTlv(findTlv(data, 0x7f49) ?? data, 0x86);
  assert.ok(point);
  return point;
}

function agreement(point: Uint8Array): Uint8Array {
  return encodeTlv(0xa6, encodeTlv(0x7f49, encodeTlv(0x86, point)));
}
