/** What the onlooker in a gateway has seen, for whoever tells the story. */
import { type Machine, type Running, sleep } from "../lab/machine.ts";
import { lines } from "./lines.ts";
import type { Observation } from "./observer.ts";

type Seen = Observation["seen"];

export class Watch implements AsyncDisposable {
  /** The onlooker's own process, as the host numbers it. */
  readonly pid: number;
  readonly #observer: Running;
  readonly #seen: Observation[] = [];
  readonly #following: Promise<void>;
  #wake = Promise.withResolvers<void>();
  #over = false;

  private constructor(observer: Running) {
    this.#observer = observer;
    this.pid = observer.pid;
    this.#following = this.#follow();
  }

  /** Resolves when the PC/SC service has told the onlooker what is in the readers. */
  static async start(machine: Machine): Promise<Watch> {
    const program = new URL("./observer.ts", import.meta.url).pathname;
    const watch = new Watch(
      await machine.spawn([
        Deno.execPath(),
        "run",
        "-A",
        "--cached-only",
        "--no-prompt",
        "--quiet",
        program,
      ], {
        stdout: "piped",
        stderr: "inherit",
        env: { PCSCLITE_NO_BLOCKING: "1", DENO_NO_UPDATE_CHECK: "1" },
      }),
    );
    await watch.next("ready", 0);
    return watch;
  }

  /** The first observation of this kind at or after `since` (Unix milliseconds). */
  async next<S extends Seen>(
    seen: S,
    since: number,
    limitMs = 30_000,
  ): Promise<Observation & { seen: S }> {
    const end = Date.now() + limitMs;
    for (;;) {
      const found = this.#seen.find((one) => one.seen === seen && one.at >= since);
      if (found !== undefined) return found as Observation & { seen: S };
      const left = end - Date.now();
      if (this.#over || left <= 0) throw new Error(`Cannot see "${seen}" in the gateway: too late`);
      await Promise.race([this.#wake.promise, sleep(Math.min(left, 100))]);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#observer.stop();
    await this.#following;
  }

  async #follow(): Promise<void> {
    for await (const line of lines(this.#observer.child.stdout)) {
      this.#seen.push(JSON.parse(line) as Observation);
      this.#tell();
    }
    this.#over = true;
    this.#tell();
  }

  #tell(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
  }
}
