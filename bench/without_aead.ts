/**
 * Our data path with and without AEAD, TCP with one stream: which share of the CPU time it leaves,
 * and how fast the rest is. Ours stands for the path without, peer for the real one.
 */
import { Lab } from "../tests/lab/lab.ts";
import { compare, readSettings } from "./lib/compare.ts";
import { cpuSeconds } from "./lib/cpu.ts";
import { iperf } from "./lib/iperf.ts";
import { nullAeadCommand } from "./lib/null_aead/command.ts";
import { INSIDE, type Make, openWire } from "./lib/wire.ts";

const settings = readSettings({ pairs: 7, seconds: 4 });
await using lab = await Lab.open();
const command = await nullAeadCommand(lab.dir);
const wires = {
  ours: await openWire(lab, "ours", { command }),
  peer: await openWire(lab, "ours"),
};
await compare(
  {
    name: "the same data path without AEAD, CPU seconds per GB",
    unit: "s/GB",
    goal: { atMost: 1 },
  },
  { pairs: settings.pairs, peerVersion: "ours with AEAD" },
  {
    measure: async (make: Make) => {
      const { a, b } = wires[make];
      const used = () => cpuSeconds(a.process.pid) + cpuSeconds(b.process.pid);
      const before = used();
      const { bytes, seconds } = await iperf(
        { from: a.machine, to: b.machine, address: INSIDE.b },
        ["-t", `${settings.seconds}`],
      );
      const value = (used() - before) / bytes * 1e9;
      return { value, more: { megabitsPerSecond: bytes * 8 / seconds / 1e6 } };
    },
    check: (make) => wires[make].check(),
  },
);
