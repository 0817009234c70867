/** The story on a screen: one line a step, a spinner on a terminal, plain lines elsewhere. */
import { type Figure, formatFigure, type Teller } from "../story/teller.ts";

const FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏";
const CLEAR = "\r\x1b[K";

export class Screen implements Teller {
  readonly figures: Figure[] = [];
  readonly #terminal = Deno.stdout.isTerminal();
  readonly #start = performance.now();
  #running:
    | { readonly title: string; readonly since: number; readonly below: string[] }
    | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;
  #frame = 0;

  step(title: string): void {
    this.end("done");
    this.#running = { title, since: performance.now(), below: [] };
    if (!this.#terminal) return this.#print(`${this.#clock()}  ${title}`);
    this.#timer = setInterval(() => this.#spin(), 100);
    this.#spin();
  }

  note(text: string): void {
    this.#below(text);
  }

  figure(figure: Figure): void {
    this.figures.push(figure);
    this.#below(`${figure.label}: ${formatFigure(figure)}`);
  }

  /** The running step is over. */
  end(how: "done" | "failed"): void {
    clearInterval(this.#timer);
    const running = this.#running;
    this.#running = undefined;
    if (running === undefined) return;
    const seconds = ((performance.now() - running.since) / 1000).toFixed(1);
    const mark = how === "done" ? "✓" : "✗";
    if (this.#terminal) {
      this.#print(`${CLEAR}${mark} ${running.title} (${seconds} s)`);
      for (const line of running.below) this.#print(`    ${line}`);
    } else if (how === "failed") this.#print(`${this.#clock()}  failed: ${running.title}`);
  }

  /** What was measured, beside what was hoped for. */
  table(): void {
    const rows = this.figures.map((figure) => ({
      label: figure.label,
      value: formatFigure(figure),
      goal: figure.goal === undefined
        ? ""
        : figure.value <= figure.goal
        ? `goal ${figure.goal} ✓`
        : `goal ${figure.goal} missed`,
    }));
    const label = Math.max(...rows.map((row) => row.label.length));
    const value = Math.max(...rows.map((row) => row.value.length));
    this.#print("");
    for (const row of rows) {
      this.#print(
        `  ${row.label.padEnd(label)}  ${row.value.padStart(value)}  ${row.goal}`.trimEnd(),
      );
    }
    this.#print("");
  }

  #below(text: string): void {
    if (this.#terminal) this.#running?.below.push(text);
    else this.#print(`          ${text}`);
  }

  #spin(): void {
    if (this.#running === undefined) return;
    const frame = FRAMES[this.#frame++ % FRAMES.length] ?? "";
    const seconds = ((performance.now() - this.#running.since) / 1000).toFixed(0);
    const line = `${frame} ${this.#running.title} ${seconds} s`;
    write(`${CLEAR}${line.slice(0, Math.max(10, columns() - 1))}`);
  }

  #clock(): string {
    return `${((performance.now() - this.#start) / 1000).toFixed(1).padStart(6)} s`;
  }

  #print(text: string): void {
    write(`${text}\n`);
  }
}

function columns(): number {
  try {
    return Deno.consoleSize().columns || 80; // some say 0
  } catch {
    return 80; // a terminal that doesn't tell its size
  }
}

function write(text: string): void {
  const bytes = new TextEncoder().encode(text);
  for (let done = 0; done < bytes.length;) done += Deno.stdout.writeSync(bytes.subarray(done));
}
