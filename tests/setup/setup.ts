/** The set-up step: finds what is missing, installs it when it may, says so when it may not. */
import { aptInstall } from "./apt.ts";
import { missingPackages, type Purpose } from "./packages.ts";

export interface SetUpResult {
  /** Packages that are still missing. */
  readonly missing: readonly string[];
}

/** Prepares this machine for `purpose`; every word it has to say goes to stderr. */
export async function setUp(purpose: Purpose): Promise<SetUpResult> {
  const missing = missingPackages(purpose).map(({ name }) => name);
  if (missing.length === 0) return { missing };
  const refusal = whyNotInstall(missing);
  if (refusal !== undefined) {
    console.error(refusal);
    return { missing };
  }
  const line = new ProgressLine(`Set-up: ${missing.join(" ")}`);
  try {
    await aptInstall(missing, (doing) => line.say(doing));
    line.end("installed");
  } catch (error) {
    line.end("not installed");
    console.error(error instanceof Error ? error.message : String(error));
  }
  return { missing: missingPackages(purpose).map(({ name }) => name) };
}

/** One line that says why packages can't be installed here and what to do, or undefined if they can. */
function whyNotInstall(missing: readonly string[]): string | undefined {
  const list = missing.join(" ");
  const system = systemName();
  if (!system.debian) {
    return `Cannot install what is missing: this is ${system.name}, not Debian; install what these Debian packages hold: ${list}`;
  }
  if (Deno.uid() !== 0) {
    return `Cannot install what is missing: not root; run: sudo apt-get install --no-install-recommends ${list}`;
  }
  return undefined;
}

function systemName(): { debian: boolean; name: string } {
  let text = "";
  try {
    text = Deno.readTextFileSync("/etc/os-release");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  const value = (key: string) => new RegExp(`^${key}=["']?([^"'\n]*)`, "m").exec(text)?.[1] ?? "";
  const kin = `${value("ID")} ${value("ID_LIKE")}`.split(" ");
  return { debian: kin.includes("debian"), name: value("PRETTY_NAME") || Deno.build.os };
}

/** A line that counts seconds on a terminal; two lines in a log. */
class ProgressLine {
  readonly #title: string;
  readonly #since = performance.now();
  readonly #timer: ReturnType<typeof setInterval> | undefined;
  #doing = "starting";

  constructor(title: string) {
    this.#title = title;
    if (Deno.stderr.isTerminal()) this.#timer = setInterval(() => this.#draw(), 1000);
    else console.error(`${title}: missing, installing now`);
  }

  say(doing: string): void {
    this.#doing = doing;
    if (this.#timer !== undefined) this.#draw();
  }

  end(how: string): void {
    clearInterval(this.#timer);
    const clear = this.#timer === undefined ? "" : "\r\x1b[K";
    console.error(`${clear}${this.#title}: ${how} (${this.#seconds()} s)`);
  }

  #draw(): void {
    const text = `\r\x1b[K${this.#title}: ${this.#doing}, ${this.#seconds()} s`;
    Deno.stderr.writeSync(new TextEncoder().encode(text));
  }

  #seconds(): string {
    return ((performance.now() - this.#since) / 1000).toFixed(0);
  }
}
