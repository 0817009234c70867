import assert from "node:assert/strict";
import { SETTLE_MS } from "../token/pcsc/settling.ts";
import type { ReaderMonitorListener, ReaderState as PcscReader } from "../token/pcsc/types.ts";
import { PcscError } from "../token/pcsc/types.ts";
import { Readers } from "./readers.ts";
import type { ReaderState } from "./session/events.ts";

const reader = (card: PcscReader["card"], events: number, name = "A"): PcscReader => ({
  name,
  card,
  events,
  atr: new Uint8Array(0),
  exclusive: false,
});

/** Readers whose reports the test makes up: bounces as short as real contacts make them. */
function watched(only?: string) {
  const told: { readers: readonly ReaderState[]; at: number }[] = [];
  let report: ReaderMonitorListener | undefined;
  const readers = new Readers(only, {
    onChange: (list) => void told.push({ readers: list, at: performance.now() }),
    onLost: () => {},
    watch: (listener) => {
      report = listener;
      return { stop: () => Promise.resolve() };
    },
  });
  assert.ok(report);
  return { readers, told, report };
}

Deno.test("a bounce ends the card at once and brings it back once, when it stays", async () => {
  const { readers, told, report } = watched();
  report.onChange([reader("present", 1)]);
  const bouncedAt = performance.now();
  for (let events = 2; events <= 8; events += 2) {
    report.onChange([reader("absent", events)]);
    report.onChange([reader("present", events + 1)]);
  }
  assert.deepEqual(readers.view(), [{ name: "A", card: "absent" }]);
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS * 3));
  const cards = told.map((one) => one.readers[0]?.card);
  assert.equal(cards[1], "absent", "with the first loss of contact");
  assert.deepEqual([cards.at(0), cards.at(-1)], ["present", "present"]);
  assert.equal(cards.filter((card) => card === "present").length, 2, `${cards}`);
  assert.equal(told.at(-1)?.readers[0]?.counter, 9);
  assert.ok((told.at(-1)?.at ?? 0) - bouncedAt >= SETTLE_MS - 1);
  await readers.stop();
});

Deno.test("nothing is told after the end, and only the named reader counts", async () => {
  const { readers, told, report } = watched("B");
  report.onChange([reader("present", 1), reader("present", 1, "B")]);
  assert.deepEqual(readers.view(), [{ name: "B", card: "present" }]);
  report.onChange([reader("absent", 2, "B")]);
  report.onChange([reader("present", 3, "B")]);
  const before = told.length;
  await readers.stop();
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS * 2));
  assert.equal(told.length, before);
});

Deno.test("a lost service is a warning until readers are told of again", async () => {
  const { readers, report } = watched();
  report.onChange([reader("absent", 0)]);
  assert.deepEqual(readers.warnings(), []);
  report.onError(new PcscError("Cannot watch", { fault: "no-service", code: 0 }));
  report.onChange([]);
  assert.deepEqual(readers.warnings(), ["Cannot watch"]);
  report.onChange([]);
  assert.match(readers.warnings()[0] ?? "", /No card reader/);
  await readers.stop();
});
