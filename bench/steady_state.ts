/**
 * Ten minutes of steady traffic through our tunnel: whether memory stays flat, the longest pause of
 * the garbage collector, and the longest stall that a ping beside the traffic saw. Pauses are wall
 * clock: one in which the thread had to wait for a processor counts with the wait.
 * `deno run -A bench/steady_state.ts [--minutes N] [--rate BITS]`
 */
import { Lab } from "../tests/lab/lab.ts";
import { type Running, sleep } from "../tests/lab/machine.ts";
import { lines } from "../tests/story/lines.ts";
import { round } from "./lib/compare.ts";
import { iperf } from "./lib/iperf.ts";
import { readNumber, readOptions } from "./lib/options.ts";
import { untilQuiet } from "./lib/quiet.ts";
import { median, quantile } from "./lib/statistics.ts";
import { commandOf, INSIDE, openWire } from "./lib/wire.ts";

const GOAL_MS = 5;
const SAMPLE_MS = 5000;
const PATIENCE_MS = 30_000;
const PING_SECONDS = 0.02;

/** What the trace of one isolate said. */
interface Isolate {
  pauses: number[];
}

const values = readOptions({
  minutes: { type: "string", default: "10" },
  rate: { type: "string", default: "400M" },
});
const seconds = readNumber("minutes", values.minutes) * 60;
const others = await untilQuiet(PATIENCE_MS);
await using lab = await Lab.open();
const wire = await openWire(lab, "ours", {
  command: commandOf("ours").map((word) => {
    return word.startsWith("--v8-flags=") ? `${word},--trace-gc` : word;
  }),
  stdout: "piped",
});
const { a, b } = wire;
const traces = [follow(a.process), follow(b.process)];
const memory: number[][] = [[], []];
let over = false;
const sampling = sample();
const traffic = iperf(
  { from: a.machine, to: b.machine, address: INSIDE.b },
  ["-t", `${seconds}`, "-b", values.rate],
);
const pinging = a.machine.run([
  ...["ping", "-q", "-i", `${PING_SECONDS}`, "-w", `${seconds}`, INSIDE.b],
]);
const { bytes } = await traffic;
const { stdout } = await pinging;
over = true;
await sampling;
await wire.check();

const [, , , longestStall] = /= ([\d.]+)\/([\d.]+)\/([\d.]+)\//.exec(stdout) ?? [];
// The trace is written in blocks; the last one comes when the process ends.
for (const end of [a, b]) await end.process.stop();
const dataWorkers = (await Promise.all(traces)).map(busiest);
const pauses = dataWorkers.flatMap((isolate) => isolate.pauses);
const longest = Math.max(0, ...pauses);
console.log(JSON.stringify({
  name: "steady state, longest collector pause on a data worker",
  ours: longest,
  peer: GOAL_MS,
  ratio: round(longest / GOAL_MS),
  unit: "ms",
  peerVersion: "the goal",
  met: longest <= GOAL_MS,
  more: {
    minutes: seconds / 60,
    gigabytes: round(bytes / 1e9),
    pauses: pauses.length,
    medianPause: median(pauses),
    pause99thPercentile: quantile(pauses, 0.99),
    pausesBeyondGoal: pauses.filter((pause) => pause > GOAL_MS).length,
    othersLoadAtStart: round(others),
    longestPingMs: Number(longestStall),
    ...memoryFigures(),
  },
}));

/** Collects the pauses of each isolate of a process. */
async function follow(process: Running): Promise<Map<string, Isolate>> {
  const isolates = new Map<string, Isolate>();
  for await (const line of lines(process.child.stdout)) {
    const [, isolate, pause] = /^\[\d+:(\w+)[^\]]*\].*\) MB, (?:pooled: [^,]*, )?([\d.]+) \//
      .exec(line) ?? [];
    if (isolate === undefined) continue;
    const known = isolates.get(isolate) ?? { pauses: [] };
    known.pauses.push(Number(pause));
    isolates.set(isolate, known);
  }
  return isolates;
}

/** The isolate that carries packets is the one that collects most. */
function busiest(isolates: Map<string, Isolate>): Isolate {
  const [first] = [...isolates.values()].toSorted((x, y) => y.pauses.length - x.pauses.length);
  if (first === undefined) throw new Error("Cannot measure: the collector's trace has no line");
  return first;
}

async function sample(): Promise<void> {
  while (!over) {
    for (const [i, end] of [a, b].entries()) memory[i]?.push(residentMegabytes(end.process.pid));
    await sleep(SAMPLE_MS);
  }
}

/** Medians of the second tenth and of the last one, the most of all, at each end. */
function memoryFigures(): Record<string, number> {
  const figures = memory.flatMap((samples, i) => {
    const tenth = Math.max(1, Math.floor(samples.length / 10));
    const end = "ab"[i];
    return [
      [`${end}EarlyMiB`, median(samples.slice(tenth, 2 * tenth))],
      [`${end}LateMiB`, median(samples.slice(-tenth))],
      [`${end}MostMiB`, quantile(samples, 1)],
    ] as const;
  });
  return Object.fromEntries(figures.map(([name, value]) => [name, round(value)]));
}

function residentMegabytes(pid: number): number {
  const text = Deno.readTextFileSync(`/proc/${pid}/status`);
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(text)?.[1]) / 1024;
}
