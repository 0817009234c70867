/**
 * Memory of a tunnel with so many peers, beyond what the runtime itself takes: its executable's
 * pages, and what an idle runtime has beside them.
 */
import { fileURLToPath } from "node:url";
import { twoMachines } from "../../tests/interop/wireguard.ts";
import { Lab } from "../../tests/lab/lab.ts";
import { type Machine, sleep } from "../../tests/lab/machine.ts";
import { lines } from "../../tests/story/lines.ts";
import { OUTSIDE, peersText } from "./clients/clients.ts";
import { type Claim, compare, readPairs } from "./compare.ts";
import { takePeer } from "./peer.ts";
import { End, type Make } from "./wire.ts";

const HOLDER = fileURLToPath(import.meta.resolve("./clients/holder.ts"));
/** After this a start's passing needs are given back. */
const SETTLE_MS = 2000;
/** The runtime alone, with a worker that does nothing. */
const IDLE = `
const worker = "onmessage = () => {}";
new Worker("data:application/javascript," + encodeURIComponent(worker), { type: "module" });
setInterval(() => {}, 1e6);`;

export async function compareMemory(
  claim: Claim,
  { peers, active }: { peers: number; active: boolean },
): Promise<void> {
  const peerVersion = await takePeer();
  await using lab = await Lab.open();
  const file = `${lab.dir}/peers.conf`;
  await Deno.writeTextFile(file, await peersText(peers));
  const idle = await idleRuntime(lab);
  const pairs = readPairs(3);
  await compare(claim, { pairs, peerVersion }, {
    measure: async (make) => {
      const { whole, fresh, own } = await memoryOf(lab, make, { peers, active, file });
      // Go's runtime can't be had alone, so the peer's memory counts whole: the stricter reading.
      const value = make === "ours" ? own - idle : whole;
      return { value, more: { whole, own, grownByPeers: whole - fresh, idleRuntime: idle } };
    },
  });
}

async function memoryOf(
  lab: Lab,
  make: Make,
  { peers, active, file }: { peers: number; active: boolean; file: string },
): Promise<{ whole: number; fresh: number; own: number }> {
  const { a, b } = await twoMachines(lab);
  await a.sh(`ip route add local ${OUTSIDE} dev lo`);
  await b.sh(`ip route add ${OUTSIDE} via 192.0.2.1`);
  const end = await End.start(b, make);
  await b.sh("ip addr add 10.7.0.2/32 dev wg0");
  await sleep(SETTLE_MS);
  const fresh = residentMegabytes(end.process.pid);
  await b.sh(`wg addconf wg0 ${file}`);
  const holder = active ? await hold(a, { key: end.keys.publicKey, peers }) : undefined;
  const known = (await b.sh("wg show wg0 peers")).trim().split("\n").length;
  if (known !== peers) throw new Error(`Cannot measure: ${known} of ${peers} peers are there`);
  if (active) await checkSessions(b, peers);
  await sleep(SETTLE_MS);
  const whole = residentMegabytes(end.process.pid);
  const own = withoutExecutable(end.process.pid);
  await holder?.stop();
  await end.process.stop();
  await a[Symbol.asyncDispose]();
  await b[Symbol.asyncDispose]();
  return { whole, fresh, own };
}

async function hold(machine: Machine, { key, peers }: { key: string; peers: number }) {
  const running = await machine.spawn(
    [
      ...[Deno.execPath(), "run", "-A", "--cached-only", "--no-prompt", "--no-check", HOLDER],
      key,
      `${peers}`,
    ],
    { stdin: "piped", stdout: "piped", stderr: "inherit" },
  );
  await lines(running.child.stdout)[Symbol.asyncIterator]().next();
  return running;
}

async function checkSessions(machine: Machine, peers: number): Promise<void> {
  const transfers = await machine.sh("wg show wg0 transfer");
  const active = transfers.trim().split("\n").filter((line) => !line.includes("\t0\t")).length;
  if (active < peers * 0.99) {
    throw new Error(`Cannot measure: ${active} of ${peers} peers have a session`);
  }
}

async function idleRuntime(lab: Lab): Promise<number> {
  const machine = await lab.machine("idle");
  const running = await machine.spawn([Deno.execPath(), "eval", IDLE]);
  await sleep(SETTLE_MS);
  const size = withoutExecutable(running.pid);
  await running.stop();
  return size;
}

/** proc(5), VmRSS. */
function residentMegabytes(pid: number): number {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
  if (kilobytes === undefined) throw new Error(`Cannot read the memory use of process ${pid}`);
  return Number(kilobytes) / 1024;
}

/** Resident memory without the unchanged pages of the program's own file (proc(5), smaps). */
function withoutExecutable(pid: number): number {
  const executable = Deno.readLinkSync(`/proc/${pid}/exe`);
  let own = 0;
  let ofExecutable = false;
  for (const line of Deno.readTextFileSync(`/proc/${pid}/smaps`).split("\n")) {
    if (/^[0-9a-f]+-[0-9a-f]+ /.test(line)) {
      ofExecutable = line.endsWith(` ${executable}`);
      continue;
    }
    const [, key, value] = /^(\w+):\s+(\d+) kB$/.exec(line) ?? [];
    if (key === (ofExecutable ? "Anonymous" : "Rss")) own += Number(value);
  }
  return own / 1024;
}
