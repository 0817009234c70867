/** iperf3 from one machine to another: what arrived, and what it cost. */
import { until } from "../../tests/interop/wireguard.ts";
import type { Machine } from "../../tests/lab/machine.ts";

export interface Arrived {
  readonly bytes: number;
  readonly seconds: number;
  readonly packets: number;
}

/** One run; `words` are iperf3's own. Throws if it failed. */
export async function iperf(
  { from, to, address }: { from: Machine; to: Machine; address: string },
  words: readonly string[],
): Promise<Arrived> {
  const server = await to.spawn(["iperf3", "-s", "-1", "-B", address]);
  await until("iperf3", async () => {
    return (await to.run(["ss", "-Hltn", "sport = :5201"])).stdout !== "";
  });
  const { code, stdout } = await from.run(["iperf3", "-J", "-c", address, ...words]);
  await server.stop();
  if (code !== 0) throw new Error(`Cannot measure: iperf3 said ${stdout.slice(0, 500)}`);
  const { end } = JSON.parse(stdout);
  const received = end.sum_received ?? end.sum;
  return {
    bytes: received.bytes,
    seconds: received.seconds,
    packets: (received.packets ?? 0) - (received.lost_packets ?? 0),
  };
}
