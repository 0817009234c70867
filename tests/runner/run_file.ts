/** Runs one test file in a process of its own, so that a crash or a hang stays that file's. */
import { type Counts, parseSummary, skippedTests } from "./summary.ts";

export interface FileResult {
  readonly path: string;
  readonly counts: Counts;
  /** All that it said, to be shown when something failed. */
  readonly output: string;
  readonly skipped: readonly string[];
  readonly seconds: number;
}

export interface RunOptions {
  readonly root: string;
  /** After so many seconds the file is killed and counted as one failure. */
  readonly limitSeconds: number;
  /** Called with each line as it is said. */
  readonly onLine?: (line: string) => void;
}

const LOOK_MS = 100;
/** So often in a row nothing more has come. */
const QUIET_LOOKS = 20;

/** Types are not checked here: the runner does that once, for all files. */
export async function runFile(path: string, options: RunOptions): Promise<FileResult> {
  const since = performance.now();
  const child = new Deno.Command("sh", {
    // one pipe for both streams keeps what a failing test said in order
    args: [
      "-c",
      'exec "$@" 2>&1',
      "sh",
      Deno.execPath(),
      "test",
      "-A",
      "--no-prompt",
      "--no-check",
      path,
    ],
    cwd: options.root,
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    child.kill("SIGKILL");
  }, options.limitSeconds * 1000);
  const reading = readLines(child.stdout, options.onLine);
  const { code } = await child.status;
  clearTimeout(timer);
  let output = await allOf(reading);
  if (late) output += `\n${path}: killed after ${options.limitSeconds} s, its limit\n`;
  const seconds = (performance.now() - since) / 1000;
  return { path, counts: judge(output, code), output, skipped: skippedTests(output), seconds };
}

/** A run that ended badly without counting a failure is one failure itself. */
function judge(output: string, code: number): Counts {
  const counts = parseSummary(output) ?? { passed: 0, failed: 0, skipped: 0 };
  const clean = code === 0 && parseSummary(output) !== undefined;
  return clean || counts.failed > 0 ? counts : { ...counts, failed: 1 };
}

function readLines(stream: ReadableStream<Uint8Array>, onLine: (line: string) => void = () => {}) {
  let text = "";
  let said = 0;
  const decoder = new TextDecoder();
  const read = async () => {
    for await (const chunk of stream) {
      text += decoder.decode(chunk, { stream: true });
      for (let end = text.indexOf("\n", said); end >= 0; end = text.indexOf("\n", said)) {
        onLine(text.slice(said, end));
        said = end + 1;
      }
    }
    return text;
  };
  return { done: read(), soFar: () => text };
}

/**
 * What was said when nothing more comes. A daemon that a killed test left behind may hold the pipe open:
 * it isn't waited for. Looks are counted, not time: a runner that was held up itself has yet to read.
 */
async function allOf(
  { done, soFar }: { done: Promise<string>; soFar: () => string },
): Promise<string> {
  let ended = false;
  void done.then(() => ended = true);
  for (let same = 0, length = -1; !ended && same < QUIET_LOOKS; same++) {
    if (soFar().length !== length) same = 0;
    length = soFar().length;
    await Promise.race([done, after(LOOK_MS)]);
  }
  return soFar();
}

function after(ms: number): Promise<void> {
  return new Promise((resolve) => Deno.unrefTimer(setTimeout(resolve, ms)));
}
