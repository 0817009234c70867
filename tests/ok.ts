/** The one gate: format, lint, types, doc lint, then the unit tests, the walls among them. */
import { docLint } from "./gate/doc_lint.ts";

const ROOT = new URL("..", import.meta.url).pathname;

interface Check {
  readonly name: string;
  /** Resolves to what is wrong, or undefined. */
  readonly run: () => Promise<string | undefined>;
}

const CHECKS: readonly Check[] = [
  { name: "format", run: () => deno("fmt", "--check") },
  { name: "lint", run: () => deno("lint") },
  { name: "types", run: () => deno("check", "--quiet", ".") },
  { name: "doc lint", run: () => docLint(ROOT) },
  { name: "unit tests", run: () => deno("run", "-A", "--no-prompt", "tests/run.ts", "--units") },
];

if (import.meta.main) Deno.exit(await main(Deno.args));

async function main(args: readonly string[]): Promise<number> {
  if (args.length > 0) {
    const names = CHECKS.map(({ name }) => name).join(", ");
    console.log(
      `Usage: deno task ok\nChecks, in this order: ${names}. Exits with 0 when all hold.`,
    );
    return args[0] === "--help" ? 0 : 2;
  }
  const failed: string[] = [];
  for (const { name, run } of CHECKS) {
    const since = performance.now();
    const wrong = await run();
    const time = `${((performance.now() - since) / 1000).toFixed(1)} s`.padStart(7);
    console.log(`${wrong === undefined ? "ok    " : "FAILED"} ${time}  ${name}`);
    if (wrong === undefined) continue;
    failed.push(name);
    console.log(wrong.trimEnd().split("\n").map((line) => `    ${line}`).join("\n"));
  }
  console.log(failed.length === 0 ? "All holds" : `Does not hold: ${failed.join(", ")}`);
  return failed.length === 0 ? 0 : 1;
}

async function deno(...args: string[]): Promise<string | undefined> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args,
    cwd: ROOT,
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return success ? undefined : text(stdout) + text(stderr);
}
