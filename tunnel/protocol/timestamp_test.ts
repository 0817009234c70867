import assert from "node:assert/strict";
import fc from "fast-check";
import { isLater, TimestampSource } from "./timestamp.ts";

Deno.test("TAI64N of a known time, rounded to 2^24 ns", () => {
  const out = new Uint8Array(12);
  new TimestampSource().write(out, 1_000.5);
  // 2^62 + 10 + 1 s; 500,000 ns round down to 0.
  assert.equal(out.toHex(), "400000000000000b00000000");
  new TimestampSource().write(out, 1_700_000_000_999);
  assert.equal(out.toHex(), "400000006553f10a3b000000");
});

Deno.test("always later than the one before, however the clock jumps", () => {
  fc.assert(fc.property(fc.array(fc.nat(2 ** 42), { minLength: 2, maxLength: 50 }), (times) => {
    const source = new TimestampSource();
    const before = new Uint8Array(12);
    const out = new Uint8Array(12);
    for (const time of times) {
      source.write(out, time);
      assert.ok(isLater(out, before));
      assert.ok(!isLater(before, out) && !isLater(out, out));
      assert.ok(new DataView(out.buffer).getUint32(8) < 1e9);
      before.set(out);
    }
  }));
});
