import assert from "node:assert/strict";
import fc from "fast-check";
import { Deadlines, type Due } from "./deadlines.ts";

Deno.test("owners come up at their earliest deadline, each once, in order", () => {
  const schedule = fc.record({ owner: fc.nat(9), at: fc.nat(100) });
  fc.assert(fc.property(fc.array(schedule, { maxLength: 80 }), (schedules) => {
    const owners: Due[] = Array.from({ length: 10 }, () => ({ wakeAt: Infinity }));
    const deadlines = new Deadlines<Due>();
    for (const { owner, at } of schedules) {
      const due = owners[owner];
      if (due !== undefined) deadlines.schedule(due, at);
    }
    const earliest = new Map<number, number>();
    for (const { owner, at } of schedules) {
      earliest.set(owner, Math.min(at, earliest.get(owner) ?? Infinity));
    }
    const expected = [...earliest].toSorted((a, b) => a[1] - b[1]);
    const times: number[] = [];
    const taken = new Set<Due>();
    for (;;) {
      const next = deadlines.next();
      if (next === Infinity) break;
      assert.equal(deadlines.take(next - 1), undefined);
      const owner = deadlines.take(next);
      assert.ok(owner !== undefined && !taken.has(owner));
      assert.equal(earliest.get(owners.indexOf(owner)), next);
      taken.add(owner);
      times.push(next);
    }
    assert.deepEqual(times, expected.map(([, at]) => at));
  }));
});
