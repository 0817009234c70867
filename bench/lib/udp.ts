/** UDP through the tunnel, from end a to end b, as fast as iperf3 sends. */
import { cpuSeconds } from "./cpu.ts";
import { type Arrived, iperf } from "./iperf.ts";
import { INSIDE, type Wire } from "./wire.ts";

export async function udpDelivered(
  { a, b }: Wire,
  { size, seconds }: { size: number; seconds: number },
): Promise<Arrived & { more: Record<string, number> }> {
  const used = () => cpuSeconds(a.process.pid) + cpuSeconds(b.process.pid);
  const before = used();
  const arrived = await iperf(
    { from: a.machine, to: b.machine, address: INSIDE.b },
    ["-u", "-b", "0", "-l", `${size}`, "-t", `${seconds}`],
  );
  const cpu = used() - before;
  return {
    ...arrived,
    more: { cpuPerSecond: cpu / seconds, cpuMicrosPerPacket: cpu * 1e6 / arrived.packets },
  };
}
