/** Runs a program to its end, within bounds of time and output. */
import { Buffer } from "node:buffer";

/** How a program ended, and what it said. */
export interface ExecResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** What a program is given, and its bounds. */
export interface ExecOptions {
  /** Written to standard input, which is then closed. */
  readonly input?: string;
  /** Milliseconds after which the program is killed (default 10,000). */
  readonly timeoutMs?: number;
  /** Bytes of each output stream that are kept; the rest is read and dropped (default 4 MiB). */
  readonly maxOutput?: number;
}

/** A program that is missing, was killed for its time, or ended with another code than 0. */
export class ExecError extends Error {
  override readonly name = "ExecError";
  readonly reason: "missing" | "timeout" | "failed";
  constructor(reason: ExecError["reason"], message: string) {
    super(message);
    this.reason = reason;
  }
}

/**
 * Resolves with whatever code the program ended.
 * @throws {ExecError} "missing" or "timeout".
 */
export async function exec(
  argv: readonly string[],
  options: ExecOptions = {},
): Promise<ExecResult> {
  const [program = "", ...args] = argv;
  const { input, timeoutMs = 10_000, maxOutput = 4 << 20 } = options;
  const child = start(program, args, input !== undefined);
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    kill(child);
  }, timeoutMs);
  try {
    const [stdout, stderr, status] = await Promise.all([
      gather(child.stdout, maxOutput),
      gather(child.stderr, maxOutput),
      child.status,
      input === undefined ? undefined : feed(child.stdin, input),
    ]);
    if (late) {
      throw new ExecError("timeout", `Cannot run ${program}: not done after ${timeoutMs} ms`);
    }
    return { code: status.code, stdout, stderr };
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Resolves to what the program printed.
 * @throws {ExecError} also when it ended with another code than 0; the message has its last words.
 */
export async function execOk(
  argv: readonly string[],
  options: ExecOptions = {},
): Promise<string> {
  const { code, stdout, stderr } = await exec(argv, options);
  if (code !== 0) {
    const words = (stderr.trim() || stdout.trim()).split("\n").slice(-3).join("; ");
    throw new ExecError(
      "failed",
      `Cannot run ${argv.slice(0, 4).join(" ")}: it ended with code ${code}: ${words}`,
    );
  }
  return stdout;
}

function start(program: string, args: string[], withInput: boolean): Deno.ChildProcess {
  try {
    return new Deno.Command(program, {
      args,
      stdin: withInput ? "piped" : "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      throw new ExecError("missing", `Cannot run ${program}: it is not installed; install it`);
    }
    throw error;
  }
}

async function gather(stream: ReadableStream<Uint8Array>, max: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of stream) {
    if (size < max) chunks.push(chunk.subarray(0, max - size));
    size += chunk.length;
  }
  return Buffer.concat(chunks).toString("utf8");
}

async function feed(stream: WritableStream<Uint8Array>, input: string): Promise<void> {
  const writer = stream.getWriter();
  try {
    await writer.write(new TextEncoder().encode(input));
    await writer.close();
  } catch {
    // The program ended without reading all of it; its exit code says how it went.
  }
}

function kill(child: Deno.ChildProcess): void {
  try {
    child.kill("SIGKILL");
  } catch {
    // It ended in the same moment.
  }
}
