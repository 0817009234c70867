/**
 * Round trip of a ping under no load: the 99th percentile of 2,000, five milliseconds apart, after as many
 * that are told apart as `cold`.
 */
import { compareWires, readSettings } from "./lib/compare.ts";
import { warmRoundTrips } from "./lib/ping.ts";
import { quantile } from "./lib/statistics.ts";

await compareWires(
  [{ name: "ping, 99th percentile", unit: "ms", goal: { atMost: 1 } }],
  readSettings({ pairs: 5, seconds: 10 }),
  async (wire) => {
    const count = readSettings({ pairs: 5, seconds: 10 }).seconds * 200;
    const { times, cold } = await warmRoundTrips(wire, count);
    return { value: quantile(times, 0.99), more: { cold: quantile(cold, 0.99) } };
  },
);
