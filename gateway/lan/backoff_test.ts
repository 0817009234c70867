import assert from "node:assert/strict";
import { Backoff, FIRST_WAIT_MS, LONGEST_WAIT_MS, STABLE_MS } from "./backoff.ts";

Deno.test("backoff: doubles up to its bound, and forgets after a stable run", () => {
  const backoff = new Backoff();
  const waits = Array.from({ length: 12 }, () => backoff.next(0));
  assert.deepEqual(waits.slice(0, 4), [100, 200, 400, 800]);
  assert.equal(waits.at(-1), LONGEST_WAIT_MS);
  assert.equal(backoff.failures, 12);
  assert.equal(backoff.next(STABLE_MS), FIRST_WAIT_MS);
  assert.equal(backoff.next(0), 2 * FIRST_WAIT_MS);
  for (let i = 0; i < 2000; i++) assert.ok(backoff.next(0) <= LONGEST_WAIT_MS);
});
