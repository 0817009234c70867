import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { command, encodeCommand } from "../apdu/command.ts";
import { SW } from "../apdu/status.ts";
import { concat, encodeTlv, findTlv } from "../apdu/tlv.ts";
import { LARGEST_OBJECT, PIV_AID, PIV_INS, YUBICO_INS } from "../piv/constants.ts";
import { InsertedCard } from "./inserted_card.ts";
import { SoftCard } from "./card.ts";
import { cheapCard, countingCrypto, TestCard } from "./test_card.ts";

Deno.test("SELECT by full, versionless and shortest identifier", () => {
  const card = new TestCard();
  for (const length of [5, 9, 11]) {
    const { sw, data } = card.send([PIV_INS.select, 4, 0], PIV_AID.slice(0, length));
    assert.equal(sw, SW.OK);
    const template = findTlv(data, 0x61);
    assert.ok(template);
    assert.equal(hex(findTlv(template, 0x4f)), "000010000100");
  }
});

Deno.test("SELECT of what is not there leaves the application selected", () => {
  const card = new TestCard();
  assert.equal(card.verify("123456"), SW.OK);
  for (const aid of ["a000000527471117", "a00000", "a000000308000010000101", ""]) {
    const data = new Uint8Array(Buffer.from(aid, "hex"));
    assert.equal(card.send([PIV_INS.select, 4, 0], data).sw, SW.FILE_NOT_FOUND, aid);
  }
  assert.equal(card.hex("00a4000c023f00").sw, SW.FUNCTION_NOT_SUPPORTED);
  assert.equal(card.hex("00200080").sw, SW.OK, "still verified");
});

Deno.test("selecting PIV again leaves the PIN verified, a reset doesn't", () => {
  const card = new TestCard();
  card.verify("123456");
  card.send([PIV_INS.select, 4, 0], PIV_AID);
  assert.equal(card.hex("00200080").sw, SW.OK);
  card.card.powerUp();
  assert.equal(card.hex("00200080").sw, 0x63c3);
});

Deno.test("malformed commands have their status words", () => {
  const card = new TestCard();
  const expected: [string, number][] = [
    ["", SW.WRONG_LENGTH],
    ["00a404", SW.WRONG_LENGTH],
    ["00a4040005a0", SW.WRONG_LENGTH],
    ["80cb3fff055c035fc102", SW.CLA_NOT_SUPPORTED],
    ["0ccb3fff055c035fc102", SW.CLA_NOT_SUPPORTED],
    ["01cb3fff055c035fc102", SW.CLA_NOT_SUPPORTED],
    ["00700000", SW.INS_NOT_SUPPORTED],
    ["00b00000", SW.INS_NOT_SUPPORTED],
    ["00c0000000", SW.CONDITIONS_NOT_SATISFIED],
  ];
  for (const [digits, sw] of expected) assert.equal(card.hex(digits).sw, sw, digits);
});

Deno.test("a chain of short commands and one extended command write the same object", () => {
  const card = new TestCard();
  card.beAdministrator();
  const content = Uint8Array.from({ length: LARGEST_OBJECT }, (_, i) => i * 7);
  assert.equal(card.put(0x5f4000, content), SW.OK);
  const data = concat(
    Uint8Array.of(0x5c, 3, 0x5f, 0x40, 1),
    encodeTlv(0x53, content),
  );
  for (let at = 0; at < data.length; at += 200) {
    const isLast = at + 200 >= data.length;
    const { sw, data: none } = card.raw(encodeCommand(command(
      { cla: isLast ? 0 : 0x10, ins: PIV_INS.putData, p1: 0x3f, p2: 0xff },
      { data: data.slice(at, at + 200) },
    )));
    assert.equal(sw, SW.OK);
    assert.equal(none.length, 0);
  }
  assert.deepEqual(card.get(0x5f4000).data.length, 256);
  assert.deepEqual(read(card, 0x5f4000), content);
  assert.deepEqual(read(card, 0x5f4001), content);
});

Deno.test("an extended command brings a whole object at once, and Le is kept to", () => {
  const card = new TestCard();
  card.beAdministrator();
  const content = new Uint8Array(1000).fill(3);
  card.put(0x5f4000, content);
  const whole = card.hex("00cb3fff 000005 5c035f4000 0000");
  assert.equal(whole.sw, SW.OK);
  assert.deepEqual(findTlv(whole.data, 0x53), content);
  const part = card.hex("00cb3fff 05 5c035f4000 10");
  assert.equal(part.data.length, 16);
  assert.equal(part.sw, 0x6100, "256 or more wait");
  const next = card.hex("00c00000 20");
  assert.equal(next.data.length, 32);
  const last = card.hex("00c00000 0000 00".replaceAll(" ", ""));
  assert.equal(last.data.length, 1004 - 48);
  assert.equal(last.sw, SW.OK);
});

Deno.test("another command ends a chain and forgets what GET RESPONSE had", () => {
  const card = new TestCard();
  card.beAdministrator();
  card.put(0x5f4000, new Uint8Array(600));
  assert.equal(card.get(0x5f4000).sw >> 8, 0x61);
  card.hex("00fd0000 00");
  assert.equal(card.hex("00c0000000").sw, SW.CONDITIONS_NOT_SATISFIED);
  assert.equal(card.hex("10db3fff 05 5c035f4000").sw, SW.OK);
  assert.equal(card.hex("00fd0000 00").sw, SW.OK);
  assert.equal(card.hex("00db3fff 02 5300").sw, SW.INCORRECT_DATA, "the first part is gone");
});

Deno.test("an endless chain is refused", () => {
  const card = new TestCard();
  const part = encodeCommand(command(
    { cla: 0x10, ins: PIV_INS.putData, p1: 0x3f, p2: 0xff },
    { data: new Uint8Array(255) },
  ));
  const words = Array.from({ length: 40 }, () => card.raw(part).sw);
  assert.ok(words.includes(SW.WRONG_LENGTH));
});

Deno.test("no bytes make the card throw, and every answer ends in a status word", () => {
  const known = [...Object.values(PIV_INS), ...Object.values(YUBICO_INS)];
  const anyCommand = fc.tuple(
    fc.constantFrom(0, 0, 0, 0x10, 0x0c, 0x80),
    fc.oneof(fc.constantFrom(...known), fc.integer({ min: 0, max: 255 })),
    fc.oneof(fc.constantFrom(0, 0x3f, 0xff, 0x11, 0xe1, 3), fc.integer({ min: 0, max: 255 })),
    fc.oneof(fc.constantFrom(0, 0x80, 0xff, 0x9a, 0x9b, 0x9d), fc.integer({ min: 0, max: 255 })),
    fc.oneof(anyTlv(), fc.uint8Array({ maxLength: 40 })),
  ).map(([cla, ins, p1, p2, data]) =>
    encodeCommand(command({ cla, ins, p1, p2 }, { data, ne: 256 }))
  );
  const anyBytes = fc.oneof(
    { weight: 5, arbitrary: anyCommand },
    fc.uint8Array({ maxLength: 300 }),
  );
  fc.assert(
    fc.property(
      fc.array(anyBytes, { maxLength: 12 }),
      fc.boolean(),
      (commands, isAdministrator) => {
        const card = new TestCard();
        if (isAdministrator) {
          card.beAdministrator();
          card.verify("123456");
        }
        for (const bytes of commands) {
          // RSA key generation is slow and takes no more input than the other algorithms.
          if (bytes[1] === PIV_INS.generateAsymmetric && bytes.includes(0x07)) continue;
          const { sw } = card.raw(bytes);
          assert.ok((sw >= 0x6000 && sw < 0x7000) || sw === SW.OK, sw.toString(16));
        }
      },
    ),
    { numRuns: 300 },
  );
});

Deno.test("the runner saves before it answers and goes on when saving fails", () => {
  let isFull = false;
  let saves = 0;
  const card = new InsertedCard(new SoftCard(cheapCard(), countingCrypto()), () => {
    saves++;
    return !isFull;
  });
  const verify = Uint8Array.from(Buffer.from("0020008008313233343536ffff", "hex"));
  assert.equal(hex(card.transmit(verify)), "9000");
  assert.equal(saves, 2);
  isFull = true;
  assert.equal(hex(card.transmit(verify)), "6581");
  assert.equal(card.state.piv.pin.triesLeft, 3);
});

function read(card: TestCard, tag: number): Uint8Array | undefined {
  const { sw, data } = card.whole(card.get(tag));
  assert.equal(sw, SW.OK);
  return findTlv(data, 0x53);
}

/** Nested data objects with the tags that PIV commands look for. */
function anyTlv(): fc.Arbitrary<Uint8Array> {
  const tags = [0x5c, 0x53, 0x7c, 0x80, 0x81, 0x82, 0x85, 0xac, 0xaa, 0xab, 0x01, 0x06, 0x08];
  const leaf = fc.tuple(fc.constantFrom(...tags), fc.uint8Array({ maxLength: 70 }))
    .map(([tag, value]) => encodeTlv(tag, value));
  const list = fc.array(leaf, { maxLength: 4 }).map((parts) => concat(...parts));
  return fc.oneof(
    list,
    fc.tuple(fc.constantFrom(0x7c, 0xac), list).map(([tag, value]) => encodeTlv(tag, value)),
  ).map((bytes) => bytes.slice(0, 255));
}

function hex(bytes: Uint8Array | undefined): string {
  return Buffer.from(bytes ?? []).toString("hex");
}
