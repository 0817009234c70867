import assert from "node:assert/strict";
import fc from "fast-check";
import { SW } from "../../apdu/status.ts";
import { concat } from "../../apdu/tlv.ts";
import { PIV_INS } from "../../piv/constants.ts";
import { SoftCard } from "../card.ts";
import type { CardState } from "../state.ts";
import { cheapCard, countingCrypto, TestCard } from "../test_card.ts";
import { isPinBlock, pinBlock } from "./pin_format.ts";

Deno.test("VERIFY: right, wrong, blocked, and its query", () => {
  const card = new TestCard();
  assert.equal(card.hex("00200080").sw, 0x63c3);
  assert.equal(card.verify("123456"), SW.OK);
  assert.equal(card.hex("00200080").sw, SW.OK);
  assert.equal(card.verify("654321"), 0x63c2);
  assert.equal(card.hex("00200080").sw, 0x63c2, "a wrong PIN takes back the right one");
  assert.equal(card.verify("123456"), SW.OK);
  assert.equal(card.verify("000000"), 0x63c2);
  assert.equal(card.verify("000000"), 0x63c1);
  assert.equal(card.verify("000000"), SW.AUTH_METHOD_BLOCKED);
  assert.equal(card.verify("123456"), SW.AUTH_METHOD_BLOCKED, "blocked for the right one too");
  assert.equal(card.hex("00200080").sw, SW.AUTH_METHOD_BLOCKED);
});

Deno.test("VERIFY: P1 = FF takes verification back and costs nothing", () => {
  const card = new TestCard();
  card.verify("123456");
  assert.equal(card.hex("0020ff80").sw, SW.OK);
  assert.equal(card.hex("00200080").sw, 0x63c3);
});

Deno.test("VERIFY: what can't be a PIN costs no try", () => {
  const card = new TestCard();
  for (
    const data of ["0412345678", "08ffffffffffffffff", "08313233ff35363738", "083132333435ffffff"]
  ) {
    assert.equal(card.hex(`00200080${data}`).sw, SW.INCORRECT_DATA, data);
  }
  assert.equal(card.hex("00200180").sw, SW.INCORRECT_P1P2);
  assert.equal(card.hex("00200081").sw, SW.REFERENCE_NOT_FOUND, "a PUK is not verified");
  assert.equal(card.hex("00200000").sw, SW.REFERENCE_NOT_FOUND, "no global PIN");
  assert.equal(card.hex("00200080").sw, 0x63c3);
});

Deno.test("the global PIN has tries of its own and opens the same card", () => {
  const card = new TestCard(cheapCard({ globalPin: "777777" }));
  assert.equal(card.verify("000000", 0x00), 0x63c2);
  assert.equal(card.verify("777777", 0x00), SW.OK);
  assert.equal(card.hex("00200000").sw, SW.OK);
  assert.equal(card.hex("00200080").sw, 0x63c3, "the card's own PIN wasn't given");
  card.beAdministrator();
  card.generate(0x9a, 0x11);
  assert.equal(card.use({ algorithm: 0x11, key: 0x9a }, [0x81, new Uint8Array(32)]).sw, SW.OK);
});

Deno.test("CHANGE REFERENCE DATA: PIN and PUK", () => {
  const card = new TestCard();
  assert.equal(change(card, 0x80, "123456", "abcdef"), SW.OK);
  assert.equal(card.hex("00200080").sw, SW.OK, "whoever changes it has given it");
  assert.equal(card.verify("123456"), 0x63c2);
  assert.equal(card.verify("abcdef"), SW.OK);
  assert.equal(change(card, 0x81, "12345678", "87654321"), SW.OK);
  assert.equal(change(card, 0x81, "12345678", "11111111"), 0x63c2);
  assert.equal(change(card, 0x80, "123456", "222222"), 0x63c2);
  assert.equal(change(card, 0x82, "123456", "222222"), SW.REFERENCE_NOT_FOUND);
  const short = concat(pinBlock("123456") ?? new Uint8Array(0), Uint8Array.of(1, 2));
  assert.equal(card.send([PIV_INS.changeReferenceData, 0, 0x80], short).sw, SW.INCORRECT_DATA);
});

Deno.test("RESET RETRY COUNTER unblocks with the PUK, and the PUK blocks too", () => {
  const card = new TestCard();
  card.beAdministrator();
  const point = card.generate(0x9d, 0xe1);
  assert.equal(point.length, 32);
  for (let i = 0; i < 3; i++) card.verify("000000");
  assert.equal(unblock(card, "00000000", "444444"), 0x63c2);
  assert.equal(unblock(card, "12345678", "444444"), SW.OK);
  assert.equal(card.hex("00200080").sw, 0x63c3, "unblocked, but not verified");
  assert.equal(card.verify("444444"), SW.OK);
  const agreed = card.use({ algorithm: 0xe1, key: 0x9d }, [0x85, point]);
  assert.equal(agreed.sw, SW.OK, "the keys came along");
  for (const sw of [0x63c2, 0x63c1, SW.AUTH_METHOD_BLOCKED, SW.AUTH_METHOD_BLOCKED]) {
    assert.equal(unblock(card, "00000000", "444444"), sw);
  }
  assert.equal(unblock(card, "12345678", "444444"), SW.AUTH_METHOD_BLOCKED);
});

Deno.test("a try is saved as spent before the PIN is looked at", () => {
  const card = new TestCard();
  const script = card.card.transmit(
    Uint8Array.of(0, 0x20, 0, 0x80, 8, ...(pinBlock("000000") ?? [])),
  );
  const first = script.next();
  assert.equal(first.done, false);
  assert.equal(first.done || first.value.piv.pin.triesLeft, 2);
});

Deno.test("no power cut gives back a try or takes the right PIN away", () => {
  const right = "123456";
  fc.assert(fc.property(
    fc.array(fc.record({ pin: fc.constantFrom(right, "000000"), cutAfter: fc.nat({ max: 3 }) }), {
      maxLength: 12,
    }),
    (attempts) => {
      let durable: CardState = cheapCard();
      let wrong = 0;
      for (const { pin, cutAfter } of attempts) {
        const before = durable.piv.pin.triesLeft;
        const run = cutOff(durable, pin, cutAfter);
        durable = run.durable;
        const after = durable.piv.pin.triesLeft;
        if (run.answer === 0x9000) {
          assert.equal(pin, right);
          assert.equal(after, 3);
          wrong = 0;
        } else if (run.answer !== undefined && before > 0) {
          assert.equal(after, before - 1);
          wrong++;
        } else {
          assert.ok(after === before || after === before - 1 || (pin === right && after === 3));
        }
        assert.ok(wrong <= 3, "never more answers than tries");
      }
    },
  ));
});

Deno.test("PIN blocks: 6 to 8 characters, then only padding", () => {
  fc.assert(fc.property(fc.string({ minLength: 0, maxLength: 10 }), (text) => {
    const block = pinBlock(text);
    const isPin = /^[\x20-\x7e]{6,8}$/.test(text);
    assert.equal(block !== undefined, isPin);
    if (block !== undefined) assert.ok(isPinBlock(block));
  }));
});

/** One VERIFY with the power cut after so many saves: what the disk has, and the answer if any. */
function cutOff(
  durable: CardState,
  pin: string,
  cutAfter: number,
): { durable: CardState; answer: number | undefined } {
  const card = new SoftCard(durable, countingCrypto());
  const script = card.transmit(Uint8Array.of(0, 0x20, 0, 0x80, 8, ...(pinBlock(pin) ?? [])));
  let saves = 0;
  let step = script.next();
  while (!step.done) {
    if (saves === cutAfter) return { durable, answer: undefined };
    saves++;
    durable = step.value;
    step = script.next(true);
  }
  const [high = 0, low = 0] = step.value;
  return { durable, answer: (high << 8) | low };
}

function change(card: TestCard, reference: number, old: string, fresh: string): number {
  return card.send([PIV_INS.changeReferenceData, 0, reference], pins(old, fresh)).sw;
}

function unblock(card: TestCard, puk: string, fresh: string): number {
  return card.send([PIV_INS.resetRetryCounter, 0, 0x80], pins(puk, fresh)).sw;
}

function pins(...texts: string[]): Uint8Array {
  return concat(...texts.map((text) => pinBlock(text) ?? new Uint8Array(0)));
}
