/** TCP through the tunnel, from end a to end b. */
import { type Claim, compareWires, readSettings, type Sample } from "./compare.ts";
import { cpuSeconds } from "./cpu.ts";
import { iperf } from "./iperf.ts";
import { INSIDE, type Wire } from "./wire.ts";

/** Measures megabits a second of `streams` streams, and what they cost, in pairs. */
export async function compareTcp(claim: Claim, streams: number): Promise<void> {
  await compareWires(
    [claim],
    readSettings({ pairs: 7, seconds: 4 }),
    (wire) => tcpRate(wire, streams),
  );
}

/** Value: megabits a second. */
export async function tcpRate(
  wire: Wire,
  streams: number,
  words: readonly string[] = ["-t", `${readSettings({ pairs: 1, seconds: 4 }).seconds}`],
): Promise<Sample> {
  const { a, b } = wire;
  const used = () => cpuSeconds(a.process.pid) + cpuSeconds(b.process.pid);
  const before = used();
  const { bytes, seconds } = await iperf(
    { from: a.machine, to: b.machine, address: INSIDE.b },
    [...["-P", `${streams}`, "-O", "1"], ...words],
  );
  const cpu = used() - before;
  return {
    value: bytes * 8 / seconds / 1e6,
    more: { cpuPerSecond: cpu / (seconds + 1) },
  };
}
