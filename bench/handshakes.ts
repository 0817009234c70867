/**
 * Handshakes that a responder answers with one second of one core, a thousand clients at a thousand
 * addresses asking as fast as it goes. `deno run -A bench/handshakes.ts [--pairs N] [--seconds N]`;
 * `--seconds` gives the number of handshakes: 3,000 for each.
 */
import { fileURLToPath } from "node:url";
import { twoMachines } from "../tests/interop/wireguard.ts";
import { Lab } from "../tests/lab/lab.ts";
import { lines } from "../tests/story/lines.ts";
import { OUTSIDE, peersText } from "./lib/clients/clients.ts";
import { compare, readSettings, type Sample } from "./lib/compare.ts";
import { cpuSeconds } from "./lib/cpu.ts";
import { takePeer } from "./lib/peer.ts";
import { commandOf, End, type Make } from "./lib/wire.ts";

const CLIENTS = 1000;
const PER_SECOND = 3000;
const PROGRAM = fileURLToPath(import.meta.resolve("./lib/clients/handshaker.ts"));

const { pairs, seconds } = readSettings({ pairs: 5, seconds: 4 });
const peerVersion = await takePeer();
await using lab = await Lab.open();
const file = `${lab.dir}/clients.conf`;
await Deno.writeTextFile(file, await peersText(CLIENTS));
const responders = { ours: await open("ours"), peer: await open("peer") };
await compare(
  { name: "handshakes as responder", unit: "handshakes per core second", goal: { atLeast: 1 } },
  { pairs, peerVersion },
  { measure: (make) => measure(responders[make]) },
);

async function open(make: Make) {
  const { a, b } = await twoMachines(lab);
  await a.sh(`ip route add local ${OUTSIDE} dev lo`);
  await b.sh(`ip route add ${OUTSIDE} via 192.0.2.1`);
  const end = await End.start(b, make, { command: ["taskset", "-c", "1", ...commandOf(make)] });
  await b.sh(`wg addconf wg0 ${file}`);
  return { clients: a, end };
}

async function measure({ clients, end }: Awaited<ReturnType<typeof open>>): Promise<Sample> {
  const running = await clients.spawn([
    ...[
      "taskset",
      "-c",
      "0",
      Deno.execPath(),
      "run",
      "-A",
      "--cached-only",
      "--no-prompt",
      "--no-check",
      PROGRAM,
    ],
    ...[end.keys.publicKey, `${CLIENTS}`, `${seconds * PER_SECOND}`],
  ], { stdin: "piped", stdout: "piped", stderr: "inherit" });
  const heard = lines(running.child.stdout)[Symbol.asyncIterator]();
  await heard.next();
  const before = cpuSeconds(end.process.pid);
  const writer = running.child.stdin.getWriter();
  await writer.write(Uint8Array.of(10));
  const { value } = await heard.next();
  const cpu = cpuSeconds(end.process.pid) - before;
  await writer.close();
  await running.status;
  const said = JSON.parse(value ?? "{}");
  if (!(said.checked > 0)) throw new Error("Cannot trust this run: no response was verified");
  return {
    value: said.handshakes / cpu,
    more: { perSecond: said.handshakes / said.seconds, lost: said.lost, checked: said.checked },
  };
}
