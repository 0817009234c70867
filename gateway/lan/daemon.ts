/**
 * One dnsmasq kept running: started as its own user, restarted when it ends, ended with the gateway
 * however that ends.
 */
import { Buffer } from "node:buffer";
import { Backoff } from "./backoff.ts";
import type { DnsIdentity } from "./identity.ts";

export interface DaemonOptions {
  /** What people read in warnings: "DHCP and DNS of the LAN". */
  readonly title: string;
  /** The configuration file; also what makes a process recognizably ours. */
  readonly configFile: string;
  readonly pidFile: string;
  readonly identity: DnsIdentity | undefined;
}

/** From its start to its readiness. */
const READY_MS = 10_000;
/** From being told to end to being killed. */
const END_MS = 2_000;
const LAST_WORDS = 5;

/** What dnsmasq needs as a user of its own: its ports, raw DHCP packets, the ruleset's sets. */
const CAPABILITIES = "-all,+net_bind_service,+net_raw,+net_admin";

export class Daemon {
  readonly #options: DaemonOptions;
  readonly #backoff = new Backoff();
  #child: Deno.ChildProcess | undefined;
  #ended: Promise<void> = Promise.resolve();
  #restart: ReturnType<typeof setTimeout> | undefined;
  #stopping = false;
  #words: string[] = [];
  #warning: string | undefined;

  constructor(options: DaemonOptions) {
    this.#options = options;
  }

  /** What an administrator should know now. */
  get warning(): string | undefined {
    return this.#warning;
  }

  /**
   * Ends what an earlier run left, starts anew, resolves when it serves.
   * @throws {Error} with its last words when it doesn't.
   */
  async start(): Promise<void> {
    await endLeftover(this.#options);
    this.#stopping = false;
    try {
      await this.#spawn();
    } catch (error) {
      await this.stop(); // no second try behind the back of who was told that it failed
      throw error;
    }
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#restart);
    this.#warning = undefined;
    const child = this.#child;
    if (child !== undefined) {
      signal(child.pid, "SIGTERM");
      const timer = setTimeout(() => signal(child.pid, "SIGKILL"), END_MS);
      await this.#ended;
      clearTimeout(timer);
    }
    await Deno.remove(this.#options.pidFile).catch(() => {});
  }

  async #spawn(): Promise<void> {
    const started = performance.now();
    const child = startProcess(this.#options);
    this.#child = child;
    this.#words = [];
    const ready = Promise.withResolvers<void>();
    ready.promise.catch(() => {}); // it may end before anybody waits
    const timer = setTimeout(() => ready.reject(new Error("it is not ready")), READY_MS);
    const heard = this.#listen(child.stderr, () => ready.resolve());
    this.#ended = child.status.then(async ({ code }) => {
      await heard;
      this.#child = undefined;
      const why = this.#words.at(-1) ?? `it ended with code ${code}`;
      ready.reject(new Error(why));
      if (!this.#stopping) this.#again(performance.now() - started, why);
    });
    try {
      await Deno.writeTextFile(this.#options.pidFile, `${child.pid}\n`);
      await ready.promise;
      this.#warning = undefined;
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      if (!this.#stopping) this.#warning = `${this.#options.title} doesn't run: ${why}`;
      signal(child.pid, "SIGKILL"); // one that neither serves nor ends
      throw new Error(`Cannot start ${this.#options.title}: ${why}`);
    } finally {
      clearTimeout(timer);
    }
  }

  #again(ranMs: number, why: string): void {
    const wait = this.#backoff.next(ranMs);
    this.#warning = `${this.#options.title} ended (${why}) and is started again`;
    this.#restart = setTimeout(() => {
      this.#spawn().catch(() => {
        // Its end brought the next try and the warning.
      });
    }, wait);
  }

  async #listen(stream: ReadableStream<Uint8Array>, onReady: () => void): Promise<void> {
    let rest = "";
    for await (const chunk of stream) {
      const lines = (rest + Buffer.from(chunk).toString("utf8")).split("\n");
      rest = (lines.pop() ?? "").slice(0, 1000);
      for (const line of lines) {
        if (/: started, version /.test(line)) onReady();
        if (line.trim() !== "") this.#words = [...this.#words, line.trim()].slice(-LAST_WORDS);
      }
    }
  }
}

/**
 * Ends a process that an earlier, crashed run started: found by its id file, and only if its command
 * line has our configuration file.
 */
export async function endLeftover(
  { pidFile, configFile }: Pick<DaemonOptions, "pidFile" | "configFile">,
): Promise<void> {
  const pid = Number((await Deno.readTextFile(pidFile).catch(() => "")).trim());
  if (!Number.isInteger(pid) || pid <= 1) return;
  for (let waited = 0; isOurs(pid, configFile); waited += 10) {
    signal(pid, waited < END_MS ? "SIGTERM" : "SIGKILL");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await Deno.remove(pidFile).catch(() => {});
}

function isOurs(pid: number, configFile: string): boolean {
  try {
    const words = Deno.readTextFileSync(`/proc/${pid}/cmdline`).split("\0");
    return words.some((word) => word.endsWith("dnsmasq")) &&
      words.includes(`--conf-file=${configFile}`);
  } catch {
    return false; // it is gone
  }
}

function startProcess({ configFile, identity, title }: DaemonOptions): Deno.ChildProcess {
  const asUser = identity === undefined ? [] : [
    ...["--reuid", String(identity.uid), "--regid", String(identity.gid), "--clear-groups"],
    ...["--inh-caps", CAPABILITIES, "--ambient-caps", CAPABILITIES],
    ...["--bounding-set", CAPABILITIES, "--no-new-privs"],
  ];
  // Without ids of its own it must not even try to change them, which is what its debug mode means.
  const stay = identity === undefined
    ? ["--no-daemon", "--user=root", "--group=root"]
    : ["--keep-in-foreground"];
  try {
    // dnsmasq would drop the signal with its rights if it changed its user itself.
    return new Deno.Command("setpriv", {
      args: [
        ...asUser,
        ...["--pdeathsig", "KILL", "--"],
        ...["dnsmasq", ...stay, "--pid-file", `--conf-file=${configFile}`],
      ],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new Error(`Cannot start ${title}: setpriv is not installed; install util-linux`);
  }
}

function signal(pid: number, name: Deno.Signal): void {
  try {
    Deno.kill(pid, name);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
