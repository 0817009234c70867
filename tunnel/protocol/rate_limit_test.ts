import assert from "node:assert/strict";
import { SOURCE_BURST, SOURCE_RATE, SOURCE_TABLE } from "./choices.ts";
import { endpointOf } from "./endpoint.ts";
import { SourceRateLimit } from "./rate_limit.ts";

const v4 = (word: number, port = 1) => endpointOf({ family: 4, words: [word] }, port);
const v6 = (...words: number[]) => endpointOf({ family: 6, words }, 1);

function passes(limit: SourceRateLimit, source: ReturnType<typeof v4>, now: number): number {
  let count = 0;
  while (count < 1000 && limit.allow(source, now)) count++;
  return count;
}

Deno.test("a burst, then a steady rate, for each source by itself and whatever its port", () => {
  const limit = new SourceRateLimit();
  assert.equal(passes(limit, v4(1), 0), SOURCE_BURST);
  assert.equal(passes(limit, v4(1, 2), 0), 0);
  assert.equal(passes(limit, v4(2), 0), SOURCE_BURST);
  let steady = 0;
  for (let now = 0; now <= 10_000; now += 10) steady += passes(limit, v4(1), now);
  assert.ok(Math.abs(steady - 10 * SOURCE_RATE) <= 1, String(steady));
});

Deno.test("IPv6 is limited by /64", () => {
  const limit = new SourceRateLimit();
  assert.equal(passes(limit, v6(1, 2, 3, 4), 0), SOURCE_BURST);
  assert.equal(passes(limit, v6(1, 2, 9, 9), 0), 0);
  assert.equal(passes(limit, v6(1, 3, 3, 4), 0), SOURCE_BURST);
});

Deno.test("the table is bounded, and emptied with time", () => {
  const limit = new SourceRateLimit();
  for (let source = 0; source < SOURCE_TABLE; source++) assert.ok(limit.allow(v4(source), 0));
  assert.equal(limit.allow(v4(SOURCE_TABLE), 0), false);
  assert.equal(limit.allow(v4(SOURCE_TABLE), 10_000), true);
});
