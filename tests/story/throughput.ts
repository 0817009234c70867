/** One TCP stream between a terminal and the office, by iperf3. */
import type { Machine, Running } from "../lab/machine.ts";
import { sleep } from "../lab/machine.ts";

const START_LIMIT_MS = 10_000;

export async function startIperf(server: Machine): Promise<Running> {
  const running = await server.spawn(["iperf3", "-s"]);
  for (let waited = 0; waited < START_LIMIT_MS; waited += 20) {
    if ((await server.sh("ss -Hltn 'sport = 5201'")).includes(":5201")) return running;
    await sleep(20);
  }
  throw new Error(`Cannot measure: iperf3 does not listen in ${server.name}`);
}

/** Megabits a second as the receiver counted them. */
export async function throughput(
  client: Machine,
  to: { address: string; direction: "up" | "down"; seconds: number },
): Promise<number> {
  const { code, stdout } = await client.run([
    ...["iperf3", "-c", to.address, "-t", String(to.seconds), "-O", "1", "-J"],
    ...(to.direction === "down" ? ["-R"] : []),
  ]);
  const report = JSON.parse(stdout);
  const bits = report?.end?.sum_received?.bits_per_second;
  if (code !== 0 || typeof bits !== "number") {
    throw new Error(
      `Cannot measure from ${client.name}: ${report?.error ?? `iperf3 ended ${code}`}`,
    );
  }
  return bits / 1e6;
}
