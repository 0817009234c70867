/** A box of the test network: the real switch, routes and LAN in a machine of the lab. */
import type { Machine, Running } from "../lab/machine.ts";
import type { BoxCommand } from "./box_program.ts";
import { TextLineStream } from "./lines.ts";

/** The runtime in a checkout asks for news of itself over the network, which would count as a leak. */
export const QUIET = { DENO_NO_UPDATE_CHECK: "1" };

export class Box implements AsyncDisposable {
  readonly process: Running;
  readonly #answers: ReadableStreamDefaultReader<string>;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;

  private constructor(process: Running) {
    this.process = process;
    this.#answers = process.child.stdout.pipeThrough(new TextDecoderStream()).pipeThrough(
      new TextLineStream(),
    ).getReader();
    this.#input = process.child.stdin.getWriter();
  }

  static async start(machine: Machine, config: unknown): Promise<Box> {
    const program = new URL("./box_program.ts", import.meta.url).pathname;
    const box = new Box(
      await machine.spawn([
        ...[
          Deno.execPath(),
          "run",
          "-A",
          "--cached-only",
          "--no-prompt",
          program,
          JSON.stringify(config),
        ],
      ], { stdin: "piped", stdout: "piped", stderr: "inherit", cwd: "/", env: QUIET }),
    );
    await box.#answer();
    return box;
  }

  /** Resolves to what the command gave; throws what it threw. */
  async do<T = null>(command: BoxCommand): Promise<T> {
    await this.#input.write(new TextEncoder().encode(`${JSON.stringify(command)}\n`));
    return await this.#answer() as T;
  }

  async kill(): Promise<void> {
    this.process.signal("SIGKILL");
    await this.process.status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.process.signal("SIGCONT");
    try {
      this.process.child.kill("SIGCONT"); // nsenter stops itself together with its child
    } catch {
      // Already gone.
    }
    await this.#input.abort().catch(() => {});
    await this.#answers.cancel().catch(() => {});
    await this.process.stop();
  }

  async #answer(): Promise<unknown> {
    const { value, done } = await this.#answers.read();
    if (done) throw new Error("Cannot command the box: its process ended");
    const answer = JSON.parse(value) as { ok?: unknown; error?: string };
    if (answer.error !== undefined) throw new Error(`In the box: ${answer.error}`);
    return answer.ok;
  }
}
