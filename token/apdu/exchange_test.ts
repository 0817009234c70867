import assert from "node:assert/strict";
import fc from "fast-check";
import { type CardChannel, CardGarbledError } from "./channel.ts";
import { command } from "./command.ts";
import { exchangeApdu, MOST_PIECES } from "./exchange.ts";
import { concat } from "./tlv.ts";

const LONGEST = 1000;
const ask = command({ ins: 0xcb }, { ne: 256 });

/** Answers in pieces of a size, and counts the commands. */
function pieces(whole: Uint8Array, size: number): CardChannel & { count: number } {
  let at = 0;
  return {
    count: 0,
    transmit() {
      this.count++;
      const piece = whole.subarray(at, at + size);
      at += size;
      const left = Math.max(0, whole.length - at);
      const status = left === 0 ? [0x90, 0x00] : [0x61, Math.min(left, 0xff)];
      return Promise.resolve(concat(piece, Uint8Array.from(status)));
    },
  };
}

Deno.test("an answer in pieces of any size is put together", async () => {
  await fc.assert(fc.asyncProperty(
    fc.uint8Array({ minLength: 1, maxLength: LONGEST }),
    fc.integer({ min: 16, max: 256 }),
    async (whole, size) => {
      const { data, sw } = await exchangeApdu(pieces(whole, size), ask, { longest: LONGEST });
      assert.equal(sw, 0x9000);
      assert.deepEqual(data, whole);
    },
  ));
});

Deno.test("an answer one byte too long is refused, however it comes", async () => {
  const whole = new Uint8Array(LONGEST + 1);
  for (const size of [200, LONGEST + 1]) {
    const refused = exchangeApdu(pieces(whole, size), ask, { longest: LONGEST });
    await assert.rejects(refused, CardGarbledError, `${size}`);
  }
});

Deno.test("pieces of one byte, or of none, end after a bounded number of commands", async () => {
  const slow = pieces(new Uint8Array(LONGEST), 1);
  await assert.rejects(exchangeApdu(slow, ask, { longest: LONGEST }), CardGarbledError);
  assert.ok(slow.count <= MOST_PIECES + 2, `${slow.count}`);
  let count = 0;
  const stuck = { transmit: () => Promise.resolve((count++, Uint8Array.of(0x61, 0x10))) };
  await assert.rejects(exchangeApdu(stuck, ask, { longest: LONGEST }), CardGarbledError);
  assert.equal(count, 2);
});

Deno.test("a command in parts: sent whole, stopped where the card stops it, wiped", async () => {
  const data = new Uint8Array(600).map((_, index) => index % 251 + 1);
  const sent: Uint8Array[] = [];
  const copies: Uint8Array[] = [];
  const taking: CardChannel = {
    transmit(raw) {
      sent.push(raw);
      copies.push(raw.slice());
      return Promise.resolve(Uint8Array.of(0x90, 0));
    },
  };
  await exchangeApdu(taking, command({ ins: 0xdb }, { data }), { longest: LONGEST });
  assert.deepEqual(copies.map((raw) => [raw[0], raw[4]]), [[0x10, 255], [0x10, 255], [0, 90]]);
  assert.deepEqual(concat(...copies.map((raw) => raw.subarray(5))), data);
  assert.ok(sent.every((raw) => raw.every((byte) => byte === 0)), "what was sent is wiped");

  let count = 0;
  const refusing = { transmit: () => Promise.resolve((count++, Uint8Array.of(0x68, 0x84))) };
  const { sw } = await exchangeApdu(refusing, command({ ins: 0xdb }, { data }), {
    longest: LONGEST,
  });
  assert.deepEqual([sw, count], [0x6884, 1]);
});
