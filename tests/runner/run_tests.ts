/** Runs test files: units side by side, labs one after the other, all within one time limit. */
import type { TestFiles } from "./files.ts";
import { Progress } from "./progress.ts";
import { type FileResult, runFile } from "./run_file.ts";
import { add, type Counts, NONE } from "./summary.ts";

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
  const progress = new Progress(files.units.length + files.labs.length);
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
    const units = files.units.values();
    const worker = async () => {
      for (const path of units) await runOne(path);
    };
    await Promise.all(Array.from({ length: navigator.hardwareConcurrency }, worker));
    for (const path of files.labs) await runOne(path);
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
