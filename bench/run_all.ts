/**
 * Runs every claim's bench and writes the table to `bench/results/DATE.md` and `.json`, anew after
 * each; what was measured earlier that day and isn't now stays in it.
 * `deno run -A bench/run_all.ts [--only NAME,…] [--pairs N] [--seconds N] [--steady]`; needs root.
 */
import { fileURLToPath } from "node:url";
import { readOptions } from "./lib/options.ts";

/** In the order of the table. */
const CLAIMS = [
  ...["tcp_one_stream", "tcp_4_streams", "tcp_50_streams", "udp_1372", "udp_64", "cpu_per_gb"],
  ...["ping_median", "ping_p99", "gateway_path_ipv4", "gateway_path_ipv6", "handshakes"],
  ...["forged_initiations", "memory_one_peer", "memory_10000_peers", "memory_1000_active"],
  "without_aead",
];
const STEADY = "steady_state";
const LIMIT_MS = 20 * 60_000;

interface Result {
  readonly name: string;
  readonly ours: number;
  readonly peer: number | null;
  readonly ratio: number | null;
  readonly unit: string;
  readonly peerVersion: string | null;
  readonly goal?: { readonly atLeast?: number; readonly atMost?: number };
  readonly met?: boolean;
  readonly othersLoad?: number;
  readonly spread?: { readonly ratio: readonly [number, number] };
}

/** A script's name to what it printed. */
type Results = Record<string, Result>;

const values = readOptions({
  only: { type: "string" },
  pairs: { type: "string" },
  seconds: { type: "string" },
  steady: { type: "boolean", default: false },
});
const chosen = values.only?.split(",") ?? [...CLAIMS, ...values.steady ? [STEADY] : []];
const folder = fileURLToPath(import.meta.resolve("./results"));
const file = `${folder}/${new Date().toISOString().slice(0, 10)}`;
const results = await read(`${file}.json`);
const failed: string[] = [];
await Deno.mkdir(folder, { recursive: true });
for (const name of chosen) {
  const result = await run(name);
  if (result === undefined) {
    failed.push(name);
    continue;
  }
  results[name] = result;
  await Deno.writeTextFile(`${file}.json`, `${JSON.stringify(inOrder(results), undefined, 2)}\n`);
  await Deno.writeTextFile(`${file}.md`, table(inOrder(results)));
}
await new Deno.Command(Deno.execPath(), { args: ["fmt", "-q", `${file}.json`, `${file}.md`] })
  .output();
if (failed.length > 0) {
  console.error(`Cannot measure ${failed.join(", ")}: see above; the others are in ${file}.md`);
  Deno.exit(1);
}

async function run(name: string): Promise<Result | undefined> {
  const script = fileURLToPath(import.meta.resolve(`./${name}.ts`));
  const words = (["pairs", "seconds"] as const).flatMap((option) => {
    const value = values[option];
    return value === undefined || name === STEADY ? [] : [`--${option}`, value];
  });
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-prompt", script, ...words],
    stdout: "piped",
    stderr: "inherit",
    signal: AbortSignal.timeout(LIMIT_MS),
  }).output();
  const line = new TextDecoder().decode(stdout).trim().split("\n").at(-1) ?? "";
  console.log(line);
  return code === 0 ? JSON.parse(line) : undefined;
}

async function read(path: string): Promise<Results> {
  try {
    return JSON.parse(await Deno.readTextFile(path));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return {};
    throw error;
  }
}

function inOrder(all: Results): Results {
  const names = [...CLAIMS, STEADY].filter((name) => all[name] !== undefined);
  return Object.fromEntries(names.flatMap((name) => {
    const result = all[name];
    return result === undefined ? [] : [[name, result]];
  }));
}

function table(all: Results): string {
  const rows = Object.values(all).map((result) => {
    const { goal, spread } = result;
    const wanted = goal?.atLeast === undefined ? `≤ ${goal?.atMost ?? 1}` : `≥ ${goal.atLeast}`;
    const range = spread === undefined ? "" : ` (${spread.ratio.join(" to ")})`;
    const cells = [
      ...[result.name, `${result.ours} ${result.unit}`, result.peer, `${result.ratio}${range}`],
      ...[wanted, result.met === true ? "met" : "not met"],
      ...[result.othersLoad ?? "", result.peerVersion],
    ];
    return `| ${cells.join(" | ")} |`;
  });
  return `# Ours beside the peer

Medians of runs taken in turn on one machine; the ratio is the median of the pairs' ratios, with the
least and the most. Others' load is the share of the machine's processors that other work took right
before a run, in the median: above 0.15 the figures are of a busy machine.

| claim | ours | peer | ratio | goal | | others' load | peer's version |
|---|---|---|---|---|---|---|---|
${rows.join("\n")}
`;
}
