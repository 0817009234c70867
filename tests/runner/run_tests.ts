/**
 * Runs test files within one time limit: units side by side, then what wants the machine alone, then
 * two labs at a time, since most of a lab's time is waiting.
 */
import type { TestFiles } from "./files.ts";
import { Progress } from "./progress.ts";
import { type FileResult, runFile } from "./run_file.ts";
import { add, type Counts, NONE } from "./summary.ts";

/** More would make time-outs of their daemons likelier than it saves time. */
const LABS_AT_ONCE = 2;

export interface Limits {
  readonly totalSeconds: number;
  readonly fileSeconds: number;
}

/** Resolves to the counts of all files; a file for which no time was left counts as one failure. */
export async function runTests(
  files: TestFiles,
  { root, limits }: { root: string; limits: Limits },
): Promise<Counts> {
  const since = performance.now();
  const progress = new Progress(
    files.units.length + files.alone.length + files.labs.length,
  );
  const skipped: string[] = [];
  let counts = NONE;

  const runOne = async (path: string) => {
    const left = limits.totalSeconds - (performance.now() - since) / 1000;
    progress.start(path);
    const result: FileResult = left < 1 ? noTime(path, limits) : await runFile(path, {
      root,
      limitSeconds: Math.ceil(Math.min(left, limits.fileSeconds)),
      onLine: (line) => progress.at(path, line),
    });
    progress.finish(result);
    counts = add(counts, result.counts);
    skipped.push(...result.skipped);
  };

  try {
    const runAll = async (paths: readonly string[], lanes: number) => {
      const rest = paths.values();
      const lane = async () => {
        for (const path of rest) await runOne(path);
      };
      await Promise.all(Array.from({ length: lanes }, lane));
    };
    await runAll(files.units, navigator.hardwareConcurrency);
    await runAll(files.alone, 1);
    await runAll(files.labs, Math.min(LABS_AT_ONCE, navigator.hardwareConcurrency));
  } finally {
    progress.end();
  }
  for (const name of skipped) console.log(`skipped: ${name}`);
  if (skipped.length > 0) console.log(`${skipped.length} skipped`);
  return counts;
}

function noTime(path: string, limits: Limits): FileResult {
  const output = `${path}: not run, the ${limits.totalSeconds} s for all tests were over\n`;
  return { path, counts: { ...NONE, failed: 1 }, output, skipped: [], seconds: 0 };
}
