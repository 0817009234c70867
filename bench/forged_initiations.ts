/**
 * The share of its download that an established peer keeps while ten thousand forged initiations a
 * second arrive from thousands of addresses, half of them with a right MAC1.
 */
import { fileURLToPath } from "node:url";
import { Lab } from "../tests/lab/lab.ts";
import { lines } from "../tests/story/lines.ts";
import { OUTSIDE } from "./lib/clients/clients.ts";
import { compare, readSettings, type Sample } from "./lib/compare.ts";
import { iperf } from "./lib/iperf.ts";
import { takePeer } from "./lib/peer.ts";
import { INSIDE, type Make, openWire } from "./lib/wire.ts";

const FORGED_PER_SECOND = 10_000;
const PROGRAM = fileURLToPath(import.meta.resolve("./lib/clients/forger.ts"));

const { pairs, seconds } = readSettings({ pairs: 5, seconds: 4 });
const peerVersion = await takePeer();
await using lab = await Lab.open();
const scenes = { ours: await open("ours"), peer: await open("peer") };
await compare(
  { name: "download kept under forged initiations", unit: "share", goal: { atLeast: 1 } },
  { pairs, peerVersion },
  {
    measure: (make) => measure(scenes[make]),
    check: (make) => scenes[make].wire.check(),
  },
);

/** A wire, and a third machine that reaches end a by a line of its own. */
async function open(make: Make) {
  const wire = await openWire(lab, make);
  const forger = await lab.machine("forger");
  await lab.link(forger, "eth0", wire.a.machine, "eth1");
  await forger.sh(`
    ip addr add 198.51.100.1/24 dev eth0
    ip route add local ${OUTSIDE} dev lo`);
  await wire.a.machine.sh(`
    ip addr add 198.51.100.2/24 dev eth1
    ip route add ${OUTSIDE} via 198.51.100.1`);
  return { wire, forger };
}

async function measure({ wire, forger }: Awaited<ReturnType<typeof open>>): Promise<Sample> {
  const { a, b } = wire;
  const download = async () => {
    const way = { from: b.machine, to: a.machine, address: INSIDE.a };
    const { bytes, seconds: took } = await iperf(way, ["-t", `${seconds}`]);
    return bytes * 8 / took / 1e6;
  };
  const before = await download();
  const running = await forger.spawn([
    ...[Deno.execPath(), "run", "-A", "--cached-only", "--no-prompt", "--no-check", PROGRAM],
    ...[a.keys.publicKey, `${FORGED_PER_SECOND}`],
  ], { stdin: "piped", stdout: "piped", stderr: "inherit" });
  const heard = lines(running.child.stdout)[Symbol.asyncIterator]();
  await heard.next();
  const writer = running.child.stdin.getWriter();
  await writer.write(Uint8Array.of(10));
  const during = await download();
  await writer.close();
  const { value } = await heard.next();
  await running.status;
  const { sent, seconds: took, answers } = JSON.parse(value ?? "{}");
  if (!(sent > 0)) throw new Error("Cannot measure: nothing was forged");
  return {
    value: during / before,
    more: { before, during, forgedPerSecond: sent / took, answersPerSecond: answers / took },
  };
}
