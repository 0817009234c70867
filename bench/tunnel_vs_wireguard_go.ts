/**
 * TCP throughput of one stream through our tunnel at both ends, beside wireguard-go at both ends,
 * on the same machine over the same kind of wire: measured in turn, in pairs, median of each.
 *
 *     deno run -A bench/tunnel_vs_wireguard_go.ts [--pairs N] [--seconds N] [--reverse]
 */
import { parseArgs } from "node:util";
import { Lab } from "../tests/lab/lab.ts";
import {
  type Implementation,
  twoMachines,
  until,
  WireguardEnd,
} from "../tests/interop/wireguard.ts";

const INSIDE = { a: "10.7.0.1", b: "10.7.0.2" };

const { values } = parseArgs({
  args: Deno.args,
  options: {
    pairs: { type: "string", default: "5" },
    seconds: { type: "string", default: "3" },
    reverse: { type: "boolean", default: false },
  },
});

await using lab = await Lab.open();
const ours = await wire("ours");
const peer = await wire("wireguard-go");
const rates = { ours: [] as number[], peer: [] as number[] };
await measure(ours, "1");
await measure(peer, "1");
for (let pair = 1; pair <= Number(values.pairs); pair++) {
  rates.ours.push(await measure(ours, values.seconds));
  rates.peer.push(await measure(peer, values.seconds));
  console.error(`pair ${pair}: ours ${rates.ours.at(-1)}, wireguard-go ${rates.peer.at(-1)} Mb/s`);
}
const result = { ours: median(rates.ours), peer: median(rates.peer) };
console.log(JSON.stringify({
  name: `tunnel: TCP, one stream${values.reverse ? ", reversed" : ""}`,
  ...result,
  ratio: Math.round(100 * result.ours / result.peer) / 100,
  unit: "Mb/s",
  peerVersion: await versionOf(peer.a),
}));

async function wire(
  implementation: Implementation,
): Promise<{ a: WireguardEnd; b: WireguardEnd }> {
  const machines = await twoMachines(lab);
  const a = await WireguardEnd.start(machines.a, { implementation });
  const b = await WireguardEnd.start(machines.b, { implementation });
  await a.address(`${INSIDE.a}/24`);
  await b.address(`${INSIDE.b}/24`);
  await a.peer(b.keys, `endpoint 192.0.2.2:51820 allowed-ips ${INSIDE.b}/32`);
  await b.peer(a.keys, `allowed-ips ${INSIDE.a}/32`);
  if (!await a.ping(INSIDE.b)) throw new Error(`Cannot measure ${implementation}: no ping`);
  return { a, b };
}

/** Megabits a second that arrived. */
async function measure(
  { a, b }: Awaited<ReturnType<typeof wire>>,
  seconds: string,
): Promise<number> {
  const server = await b.machine.spawn(["iperf3", "-s", "-1", "-B", INSIDE.b]);
  await until("iperf3", async () => {
    const { stdout } = await b.machine.run(["ss", "-Hltn", "sport = :5201"]);
    return stdout !== "";
  });
  const { code, stdout } = await a.machine.run([
    ...["iperf3", "-J", "-c", INSIDE.b, "-t", seconds],
    ...(values.reverse ? ["-R"] : []),
  ]);
  await server.status;
  if (code !== 0) throw new Error(`Cannot measure: iperf3 said ${stdout}`);
  return Math.round(JSON.parse(stdout).end.sum_received.bits_per_second / 1e6);
}

async function versionOf({ machine }: WireguardEnd): Promise<string> {
  const { stdout } = await machine.run(["wireguard-go", "--version"]);
  return stdout.split("\n")[0]?.trim() ?? "unknown";
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? NaN;
}
