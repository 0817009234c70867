import assert from "node:assert/strict";
import fc from "fast-check";
import { REPLAY_WINDOW } from "./choices.ts";
import { ReplayWindow } from "./replay_window.ts";

const W = REPLAY_WINDOW;
/** Steps of a sequence: the counter, and whether it must be accepted. */
const SEQUENCES: readonly (readonly (readonly [number, boolean])[])[] = [
  [[0, true], [0, false], [1, true], [1, false], [9, true], [8, true], [7, true], [7, false]],
  [[W, true], [W - 1, true], [W - 1, false], [1, true], [0, false]],
  [[W - 1, true], [0, true], [0, false], [W, true], [0, false], [1, true]],
  [[2 * W, true], [W, false], [W + 1, true], [W + 1, false], [2 * W - 1, true], [2 * W + 1, true]],
  [[5, true], [5 + 100 * W, true], [5 + 99 * W, false], [5 + 99 * W + 1, true], [5, false]],
  [[2 ** 53 - 2, true], [2 ** 53 - 2, false], [2 ** 53 - 1 - W, true], [2 ** 53 - 2 - W, false]],
  [[31, true], [32, true], [63, true], [64, true], [33, true], [33, false], [31, false]],
];

Deno.test("sequences: each number once, none older than the window", () => {
  for (const [index, sequence] of SEQUENCES.entries()) {
    const window = new ReplayWindow();
    for (const [counter, expected] of sequence) {
      assert.equal(window.accept(counter), expected, `sequence ${index}, counter ${counter}`);
    }
  }
});

Deno.test("as a set of all numbers would decide", () => {
  const step = fc.oneof(
    fc.integer({ min: -W - 40, max: 40 }),
    fc.integer({ min: -64, max: 64 }),
    fc.integer({ min: 0, max: 3 * W }),
  );
  fc.assert(fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
    const window = new ReplayWindow();
    const seen = new Set<number>();
    let newest = -1;
    let at = 0;
    for (const by of steps) {
      at = Math.max(0, Math.max(newest, 0) + by);
      const expected = !seen.has(at) && newest - at < W;
      assert.equal(window.accept(at), expected);
      if (expected) seen.add(at);
      if (expected) newest = Math.max(newest, at);
    }
  }));
});
