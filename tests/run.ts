/**
 * The README's test command: set-up, what browsers load, types, then every test. The last line is
 * the count; the exit code is 0 only if something passed and nothing failed.
 */
import { findTests } from "./runner/files.ts";
import { runTests } from "./runner/run_tests.ts";
import { add, type Counts, NONE, resultLine } from "./runner/summary.ts";
import { setUp } from "./setup/setup.ts";

const ROOT = new URL("..", import.meta.url).pathname.replace(/\/$/, "");
const LIMITS = { totalSeconds: 27 * 60, fileSeconds: 15 * 60 };
const HELP = `Usage: deno task test [PATH…]
Runs all tests, or those at and under the paths. Types are checked once, before.
  --units   only those that need no network, daemon or browser
  --help    this`;

if (import.meta.main) Deno.exit(await main(Deno.args));

async function main(args: readonly string[]): Promise<number> {
  if (args.includes("--help")) {
    console.log(HELP);
    return 0;
  }
  const unknown = args.find((arg) => arg.startsWith("-") && arg !== "--units");
  if (unknown !== undefined) {
    console.error(`Cannot run tests: ${unknown} is not understood; see --help`);
    return 2;
  }
  const wanted = args.filter((arg) => !arg.startsWith("-")).map(relative).filter((path) =>
    path !== ""
  );
  const found = findTests(ROOT, wanted);
  const files = args.includes("--units") ? { ...found, labs: [], alone: [] } : found;
  const all = [...files.units, ...files.labs, ...files.alone];
  if (all.length === 0) {
    console.error("Cannot run tests: no test file is there; see --help");
    console.log(resultLine(NONE));
    return 1;
  }
  // All of it before the first test: what runs in a lab has no way to a registry, and must not try.
  let counts = await step("take the dependencies", ["install", "--frozen", "--quiet"]);
  if (files.labs.length + files.alone.length > 0) {
    await setUp("tests");
    counts = add(counts, await step("bundle what browsers load", ["task", "--quiet", "build"]));
  }
  counts = add(counts, await step("check types", ["check", "--quiet", ...all]));
  counts = add(counts, await runTests(files, { root: ROOT, limits: LIMITS }));
  console.log(resultLine(counts));
  return counts.failed > 0 || counts.passed === 0 ? 1 : 0;
}

/** Something that must hold before tests mean anything: not a test, but a failure when it fails. */
async function step(what: string, args: string[]): Promise<Counts> {
  const since = performance.now();
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args,
    cwd: ROOT,
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  const mark = success ? "ok    " : "FAILED";
  const time = `${((performance.now() - since) / 1000).toFixed(1)} s`.padStart(7);
  console.log(`${mark} ${time}  ${what}`);
  if (success) return NONE;
  await Deno.stdout.write(stdout);
  await Deno.stdout.write(stderr);
  return { ...NONE, failed: 1 };
}

function relative(path: string): string {
  const absolute = path.startsWith("/") ? path : `${Deno.cwd()}/${path}`;
  const plain = new URL(`file://${absolute}`).pathname.replace(/\/$/, "");
  return plain === ROOT ? "" : plain.replace(`${ROOT}/`, "");
}
