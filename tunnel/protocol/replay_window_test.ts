import assert from "node:assert/strict";
import fc from "fast-check";
import vectors from "../../tests/vectors/replay_window.json" with { type: "json" };
import { REPLAY_WINDOW } from "./choices.ts";
import { ReplayWindow } from "./replay_window.ts";
import { REJECT_AFTER_MESSAGES } from "./spec.ts";

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

for (const { source, steps } of vectors.sequences) {
  Deno.test(`published sequence: ${source}`, () => {
    const window = new ReplayWindow();
    for (const { counter, taken } of steps.flatMap(countersOf)) {
      // As a session does: the end of all counters is looked at before the window.
      const accepted = counter < REJECT_AFTER_MESSAGES && window.accept(counter);
      assert.equal(accepted, taken, `counter ${counter}`);
    }
  });
}

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

type Step = (typeof vectors.sequences)[number]["steps"][number];

/** The counters of one step of the file, in its order, for our window. */
function countersOf(step: Step): { counter: number; taken: boolean }[] {
  if (Array.isArray(step)) {
    const [times, plus, taken] = step;
    assert.ok(typeof plus === "number" && typeof taken === "boolean");
    const base = times === "reject" ? REJECT_AFTER_MESSAGES : Number(times) * REPLAY_WINDOW;
    return [{ counter: base + plus, taken }];
  }
  const [from, to] = [step.from, step.to].map(([times = 0, plus = 0]) =>
    times * REPLAY_WINDOW + plus
  );
  assert.ok(from !== undefined && to !== undefined);
  const by = Math.sign(to - from);
  return Array.from(
    { length: Math.abs(to - from) + 1 },
    (_, index) => ({ counter: from + by * index, taken: step.accept }),
  );
}
