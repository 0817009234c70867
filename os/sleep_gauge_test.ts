import assert from "node:assert/strict";
import fc from "fast-check";
import { SleepGauge } from "./sleep_gauge.ts";

const HOUR = 3_600_000;

Deno.test("an hour's sleep is told once, whatever the machine slept before", () => {
  const gauge = new SleepGauge({ boot: 5 * HOUR, awake: 2 * HOUR });
  assert.equal(gauge.read({ boot: 5 * HOUR + 100, awake: 2 * HOUR + 100 }), 0);
  assert.equal(gauge.read({ boot: 6 * HOUR + 200, awake: 2 * HOUR + 200 }), HOUR);
  assert.equal(gauge.read({ boot: 6 * HOUR + 300, awake: 2 * HOUR + 300 }), 0);
  assert.equal(gauge.read({ boot: 6 * HOUR + 2_400, awake: 2 * HOUR + 400 }), 2_000);
});

Deno.test("a process that is held up, for however long, has not slept", () => {
  const held = fc.record({ between: fc.nat(HOUR), within: fc.nat(HOUR) });
  fc.assert(fc.property(fc.nat(HOUR), fc.nat(HOUR), fc.array(held), (slept, first, times) => {
    let awake = 1_000;
    // Held up after the first clock was read, it reads the second one late.
    const look = (within: number) => {
      const boot = awake + slept;
      awake += within;
      return { boot, awake };
    };
    const gauge = new SleepGauge(look(0));
    awake += first;
    for (const { between, within } of times) {
      awake += between;
      assert.equal(gauge.read(look(within)), 0);
    }
  }));
});

Deno.test("a sleep between readings that were held up is told all the same", () => {
  const gauge = new SleepGauge({ boot: 1_000, awake: 1_000 });
  assert.equal(gauge.read({ boot: 2_000, awake: 2_900 }), 0);
  const slept = gauge.read({ boot: 3_000 + HOUR, awake: 3_000 });
  assert.equal(slept, HOUR);
});
