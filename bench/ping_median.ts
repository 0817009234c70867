/** Round trip of a ping under no load: the median of 2,000, five milliseconds apart. */
import { compareWires, readSettings } from "./lib/compare.ts";
import { roundTrips } from "./lib/ping.ts";
import { quantile } from "./lib/statistics.ts";

await compareWires(
  [{ name: "ping, median", unit: "ms", goal: { atMost: 1 } }],
  readSettings({ pairs: 5, seconds: 10 }),
  async (wire) => {
    const count = readSettings({ pairs: 5, seconds: 10 }).seconds * 200;
    return { value: quantile(await roundTrips(wire, count), 0.5) };
  },
);
