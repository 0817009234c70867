import assert from "node:assert/strict";
import fc from "fast-check";
import { SETTLE_MS, Settling } from "./settling.ts";
import type { ReaderState } from "./types.ts";

const reader = (
  card: ReaderState["card"],
  events: number,
  name = "Reader 00",
): ReaderState => ({ name, card, events, atr: new Uint8Array(0), exclusive: false });

const cards = (states: readonly ReaderState[]) => states.map(({ card }) => card).join(" ");

Deno.test("a card that was there at the start, and the first that is put in, are told at once", () => {
  assert.equal(cards(new Settling().take([reader("present", 1)], 0)), "present");
  const core = new Settling();
  assert.equal(cards(core.take([reader("absent", 0)], 0)), "absent");
  assert.equal(cards(core.take([reader("present", 1)], 10)), "present");
  assert.equal(core.deadline, undefined);
});

Deno.test("removal is told at once; a card that is back too soon waits until it stays", () => {
  const core = new Settling();
  core.take([reader("present", 1)], 0);
  assert.equal(cards(core.take([reader("absent", 2)], 1000)), "absent");
  assert.equal(cards(core.take([reader("present", 3)], 1050)), "absent");
  assert.equal(core.deadline, 1050 + SETTLE_MS);
  assert.equal(cards(core.tick(1050 + SETTLE_MS - 1)), "absent");
  // It bounces: what counts is the last time it came.
  assert.equal(cards(core.take([reader("absent", 4)], 1100)), "absent");
  assert.equal(core.deadline, undefined);
  assert.equal(cards(core.take([reader("present", 5)], 1120)), "absent");
  assert.equal(core.deadline, 1120 + SETTLE_MS);
  assert.equal(cards(core.tick(1120 + SETTLE_MS)), "present");
  assert.equal(core.deadline, undefined);
  assert.equal(core.held, 2);
});

Deno.test("a card that was away long enough is told at once", () => {
  const core = new Settling();
  core.take([reader("present", 1)], 0);
  core.take([reader("absent", 2)], 1000);
  assert.equal(cards(core.take([reader("present", 3)], 1000 + SETTLE_MS)), "present");
  assert.equal(core.held, 0);
});

Deno.test("a swap between two reports is a removal first, then a card that waits", () => {
  const core = new Settling();
  core.take([reader("present", 1)], 0);
  assert.equal(cards(core.take([reader("present", 3)], 5000)), "absent", "the first card is gone");
  assert.equal(cards(core.tick(5000 + SETTLE_MS)), "present");
});

Deno.test("a reader that vanishes with its card and is back at once waits as well", () => {
  const core = new Settling();
  core.take([reader("present", 1), reader("absent", 0, "Reader 01")], 0);
  assert.equal(cards(core.take([reader("absent", 0, "Reader 01")], 100)), "absent");
  const back = [reader("present", 1), reader("absent", 0, "Reader 01")];
  assert.equal(cards(core.take(back, 150)), "absent absent");
  assert.equal(cards(core.tick(150 + SETTLE_MS)), "present absent");
  core.take([], 10_000);
  assert.equal(cards(core.take(back, 10_000 + SETTLE_MS)), "present absent");
});

Deno.test("a mute card is held back like another, and turns into a card without waiting anew", () => {
  const core = new Settling();
  core.take([reader("present", 1)], 0);
  core.take([reader("absent", 2)], 1000);
  assert.equal(cards(core.take([reader("mute", 3)], 1010)), "absent");
  assert.equal(cards(core.take([reader("present", 3)], 1100)), "absent");
  assert.equal(core.deadline, 1010 + SETTLE_MS);
  assert.equal(cards(core.tick(1010 + SETTLE_MS)), "present");
});

/** What happens to one reader, each step some milliseconds after the one before. */
const histories = fc.array(
  fc.record({
    after: fc.integer({ min: 0, max: 2 * SETTLE_MS }),
    what: fc.constantFrom("in", "out", "swap", "gone", "same"),
  }),
  { maxLength: 40 },
);

Deno.test("any history: removal never waits, nothing is told too early, all is told in the end", () => {
  fc.assert(
    fc.property(histories, (history) => {
      const core = new Settling();
      let now = 0;
      let events = 0;
      let raw: ReaderState | undefined = reader("absent", 0);
      let cameAt = -Infinity;
      let leftAt = -Infinity;
      let told = core.take([raw], now);
      const check = () => {
        const shown = told[0]?.card;
        if (raw === undefined) return assert.equal(shown, undefined);
        if (raw.card === "absent") return assert.equal(shown, "absent");
        const mayShow = cameAt - leftAt >= SETTLE_MS || now - cameAt >= SETTLE_MS;
        assert.equal(shown, mayShow ? "present" : "absent");
      };
      for (const { after, what } of history) {
        const until = now + after;
        // Whoever runs the core calls `tick` at its deadline.
        for (let due = core.deadline; due !== undefined && due <= until; due = core.deadline) {
          now = due;
          told = core.tick(now);
          check();
        }
        now = until;
        const had = raw !== undefined && raw.card !== "absent";
        if (had && (what === "out" || what === "swap" || what === "gone")) leftAt = now;
        if ((what === "in" && !had) || (what === "swap" && had)) cameAt = now;
        if (what === "in" && !had) raw = reader("present", ++events);
        else if (what === "out") raw = reader("absent", had ? ++events : events);
        else if (what === "swap" && had) raw = reader("present", events += 2);
        else if (what === "gone") raw = undefined;
        told = core.take(raw === undefined ? [] : [raw], now);
        check();
      }
      told = core.tick(now + SETTLE_MS);
      assert.equal(told[0]?.card, raw?.card);
      assert.equal(core.deadline, undefined);
    }),
    { numRuns: 500 },
  );
});
