/** CPU seconds of both ends for each gigabyte that one TCP stream moves at full speed. */
import { compareWires, readSettings } from "./lib/compare.ts";
import { cpuSeconds } from "./lib/cpu.ts";
import { iperf } from "./lib/iperf.ts";
import { INSIDE } from "./lib/wire.ts";

await compareWires(
  [{ name: "CPU seconds per GB, both ends", unit: "s/GB", goal: { atMost: 0.7 } }],
  readSettings({ pairs: 7, seconds: 4 }),
  async ({ a, b }) => {
    const [beforeA, beforeB] = [cpuSeconds(a.process.pid), cpuSeconds(b.process.pid)];
    const { bytes } = await iperf(
      { from: a.machine, to: b.machine, address: INSIDE.b },
      ["-t", `${readSettings({ pairs: 7, seconds: 4 }).seconds}`],
    );
    const sender = (cpuSeconds(a.process.pid) - beforeA) / bytes * 1e9;
    const receiver = (cpuSeconds(b.process.pid) - beforeB) / bytes * 1e9;
    return { value: sender + receiver, more: { sender, receiver } };
  },
);
