import assert from "node:assert/strict";
import fc from "fast-check";
import { isPursePinBlock, NO_PIN_BLOCK, pursePinBlock } from "./pin.ts";
import { decodeReceipt, encodeReceipt, RECEIPT_KIND, RECEIPT_LENGTH } from "./receipt.ts";
import {
  decodeAsk,
  decodeInstallation,
  decodeLimits,
  decodeOrder,
  decodeStatus,
  encodeAsk,
  encodeInstallation,
  encodeLimits,
  encodeOrder,
  encodeStatus,
  numberField,
} from "./wire.ts";

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const utf8 = (text: string) => new TextEncoder().encode(text);
const four = fc.nat({ max: 0xffff_ffff });
const two = fc.nat({ max: 0xffff });
const limits = fc.record(
  { balance: four, debit: four, withoutPin: four, withoutPinTotal: four },
  { noNullPrototype: true },
);
const record = <T>(shape: { [K in keyof T]: fc.Arbitrary<T[K]> }) =>
  fc.record(shape, { noNullPrototype: true });

Deno.test("every record comes back as it was", () => {
  const cases = [
    [limits, encodeLimits, decodeLimits],
    [
      record({ amount: four, currency: two, party: bytes(8), reference: bytes(8), time: four }),
      encodeOrder,
      decodeOrder,
    ],
    [
      record({
        cardId: bytes(8),
        currency: two,
        transaction: four,
        credits: four,
        balance: four,
        challenge: bytes(16),
        mac: bytes(16),
      }),
      encodeAsk,
      decodeAsk,
    ],
    [
      record({
        cardId: bytes(8),
        currency: two,
        balance: four,
        limits,
        withoutPinLeft: four,
        transactions: four,
        credits: four,
        pinTries: fc.constantFrom(undefined, 0, 1, 3),
        isVerified: fc.boolean(),
        isClosed: fc.boolean(),
      }),
      encodeStatus,
      decodeStatus,
    ],
    [
      record({
        cardId: bytes(8),
        currency: two,
        limits,
        keys: record({ load: bytes(32), settlement: bytes(32), receipt: bytes(32) }),
        pin: bytes(8),
      }),
      encodeInstallation,
      decodeInstallation,
    ],
    [
      record({
        kind: fc.constantFrom(...Object.values(RECEIPT_KIND)),
        cardId: bytes(8),
        currency: two,
        transaction: four,
        amount: four,
        balance: four,
        party: bytes(8),
        reference: bytes(8),
        time: four,
        merchantMac: bytes(16),
        settlementMac: bytes(16),
      }),
      encodeReceipt,
      decodeReceipt,
    ],
  ] as unknown as [
    fc.Arbitrary<unknown>,
    (one: unknown) => Uint8Array,
    (bytes: Uint8Array) => unknown,
  ][];
  for (const [any, encode, decode] of cases) {
    fc.assert(fc.property(any, (one) => {
      const wire = encode(one);
      assert.deepEqual(decode(wire), one);
      for (const length of [0, wire.length - 1, wire.length + 1]) {
        const other = new Uint8Array(length);
        other.set(wire.subarray(0, length));
        assert.equal(decode(other), undefined, `${length} bytes`);
      }
    }));
  }
});

Deno.test("a number that doesn't fit is a broken invariant, not a smaller number", () => {
  assert.deepEqual(numberField(0x01020304, 4), Uint8Array.of(1, 2, 3, 4));
  for (const [value, length] of [[256, 1], [-1, 4], [1.5, 4], [2 ** 32, 4], [NaN, 4]] as const) {
    assert.throws(() => numberField(value, length), RangeError);
  }
});

Deno.test("a receipt of an unknown kind is none", () => {
  for (const kind of [0, 4, 255]) {
    const wire = new Uint8Array(RECEIPT_LENGTH);
    wire[0] = kind;
    assert.equal(decodeReceipt(wire), undefined);
  }
});

Deno.test("PIN blocks: 4 to 8 digits, then only padding", () => {
  for (const pin of ["1234", "12345678"]) {
    const block = pursePinBlock(utf8(pin));
    assert.ok(block && isPursePinBlock(block), pin);
  }
  for (const pin of ["", "123", "123456789", "12a4", "１２３４"]) {
    assert.equal(pursePinBlock(utf8(pin)), undefined, pin);
  }
  assert.ok(!isPursePinBlock(NO_PIN_BLOCK));
  assert.ok(!isPursePinBlock(Uint8Array.from([0x31, 0x32, 0x33, 0x34, 0xff, 0x35, 0xff, 0xff])));
  assert.ok(!isPursePinBlock(Uint8Array.from([0x31, 0x32, 0x33])));
});
