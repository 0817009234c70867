/** One line for each file that is done, and below them, on a terminal, what runs now. */
import { countLine } from "./summary.ts";
import type { FileResult } from "./run_file.ts";

const HEARTBEAT_SECONDS = 30;

export class Progress {
  readonly #running = new Map<string, { since: number; at: string }>();
  readonly #terminal = Deno.stdout.isTerminal();
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #total: number;
  #done = 0;

  constructor(total: number) {
    this.#total = total;
    const seconds = this.#terminal ? 0.5 : HEARTBEAT_SECONDS;
    this.#timer = setInterval(() => this.#tell(), seconds * 1000);
  }

  start(path: string): void {
    this.#running.set(path, { since: performance.now(), at: "" });
  }

  /** The test that a running file is at. */
  at(path: string, line: string): void {
    const name = /^(.+) \.\.\.( |$)/.exec(line)?.[1];
    const entry = this.#running.get(path);
    if (name !== undefined && entry !== undefined) entry.at = name.trim();
  }

  finish(result: FileResult): void {
    this.#running.delete(result.path);
    this.#done++;
    const mark = result.counts.failed > 0 ? "FAILED" : "ok    ";
    const time = `${result.seconds.toFixed(1)} s`.padStart(7);
    this.print(`${mark} ${time}  ${result.path}: ${countLine(result.counts)}`);
    if (result.counts.failed > 0) this.print(indent(result.output));
  }

  print(text: string): void {
    if (this.#terminal) write("\r\x1b[K");
    console.log(text);
    if (this.#terminal) this.#tell();
  }

  end(): void {
    clearInterval(this.#timer);
    if (this.#terminal) write("\r\x1b[K");
  }

  #tell(): void {
    const now = [...this.#running].map(([path, { since, at }]) =>
      `${path} ${((performance.now() - since) / 1000).toFixed(0)} s${at === "" ? "" : `: ${at}`}`
    );
    if (now.length === 0) return;
    const text = `[${this.#done}/${this.#total}] ${now.join(" | ")}`;
    if (!this.#terminal) console.log(text);
    else write(`\r\x1b[K${text.slice(0, Deno.consoleSize().columns - 1)}`);
  }
}

function write(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(text));
}

function indent(text: string): string {
  return text.trimEnd().split("\n").map((line) => `    ${line}`).join("\n");
}
