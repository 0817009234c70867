/** What `deno test` says at its end, as numbers. */

export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

export const NONE: Counts = { passed: 0, failed: 0, skipped: 0 };

/** Reads the summary line of `deno test` without colours; undefined when it never came to one. */
export function parseSummary(output: string): Counts | undefined {
  const line = output.split("\n").findLast((one) => /^(ok|FAILED) \| \d+ passed/.test(one));
  if (line === undefined) return undefined;
  const count = (word: string) => Number(new RegExp(`\\| (\\d+) ${word}`).exec(line)?.[1] ?? 0);
  return { passed: count("passed"), failed: count("failed"), skipped: count("ignored") };
}

/** The names of the tests that `deno test` left out. */
export function skippedTests(output: string): string[] {
  return [...output.matchAll(/^(.+) \.\.\. ignored \(/gm)].map((match) => match[1] ?? "");
}

export function add(a: Counts, b: Counts): Counts {
  return {
    passed: a.passed + b.passed,
    failed: a.failed + b.failed,
    skipped: a.skipped + b.skipped,
  };
}

/** `N passed, N failed`: what a run ends with, whatever was skipped. */
export function resultLine({ passed, failed }: Counts): string {
  return `${passed} passed, ${failed} failed`;
}

/** The same, with `, N skipped` when there are any. */
export function countLine({ passed, failed, skipped }: Counts): string {
  return resultLine({ passed, failed, skipped }) + (skipped > 0 ? `, ${skipped} skipped` : "");
}
