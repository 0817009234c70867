/**
 * One machine of the lab: a network, mount and process-id namespace of its own, without a name that
 * another run could meet. Everything in it is killed by the kernel when its first process ends, and
 * that one is killed when the process that built the lab ends, however it ends.
 */
import { Buffer } from "node:buffer";

export interface RunResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface SpawnOptions {
  readonly env?: Record<string, string>;
  readonly cwd?: string;
  readonly stdin?: "null" | "piped";
  readonly stdout?: "null" | "piped" | "inherit";
  readonly stderr?: "null" | "piped" | "inherit";
}

/** A daemon or client running in a machine. */
export interface Running {
  /** Process id as the host sees it. */
  readonly pid: number;
  readonly child: Deno.ChildProcess;
  readonly status: Promise<Deno.CommandStatus>;
  /** SIGTERM, and SIGKILL when it is still there after `graceMs` (default 3,000); also a stopped one. */
  stop(graceMs?: number): Promise<void>;
  /** Sends a signal to the process itself. */
  signal(signal: Deno.Signal): void;
}

/** How often a process that is to end is told to go on, should it have been stopped. */
const GO_ON_MS = 100;

/** What nsenter, as shells do, exits with when there is no such program. */
const COMMAND_NOT_FOUND = 127;

const FIRST_PROCESS = `
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/pcscd /run/wireguard /run/lock
ip link set lo up
for f in all default; do echo 0 > /proc/sys/net/ipv6/conf/$f/accept_dad; done
echo ready
while :; do sleep 3600 & wait; done
`;

export class Machine implements AsyncDisposable {
  readonly name: string;
  /** The first process of the machine, as the host sees it. */
  readonly pid: number;
  readonly #holder: Deno.ChildProcess;

  private constructor(name: string, pid: number, holder: Deno.ChildProcess) {
    this.name = name;
    this.pid = pid;
    this.#holder = holder;
  }

  static async start(name: string): Promise<Machine> {
    const holder = new Deno.Command("setpriv", {
      args: [
        ...["--pdeathsig", "KILL", "unshare", "--mount", "--net", "--pid", "--fork"],
        ...["--kill-child", "--mount-proc", "--propagation", "private"],
        ...["bash", "-c", FIRST_PROCESS],
      ],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const said = await firstLine(holder.stdout);
    if (said !== "ready") {
      const why = await new Response(holder.stderr).text();
      throw new Error(`Cannot start the machine ${name}: ${why.trim() || "no namespaces here"}`);
    }
    await holder.stderr.cancel();
    const [pid] = childrenOf(holder.pid);
    if (pid === undefined) throw new Error(`Cannot find the first process of machine ${name}`);
    return new Machine(name, pid, holder);
  }

  /**
   * Runs a command to its end.
   * @throws {Error} when this machine hasn't got the program: no outcome to wait for would ever come.
   */
  async run(argv: readonly string[], options: SpawnOptions & { input?: string } = {}): Promise<
    RunResult
  > {
    const child = this.#command(argv, {
      ...options,
      stdin: options.input === undefined ? "null" : "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    if (options.input !== undefined) {
      const writer = child.stdin.getWriter();
      await writer.write(new TextEncoder().encode(options.input)).catch(() => {});
      await writer.close().catch(() => {});
    }
    const { code, stdout, stderr } = await child.output();
    const said = decode(stderr);
    if (code === COMMAND_NOT_FOUND && /^nsenter: failed to execute /.test(said)) {
      throw new Error(
        `Cannot run ${argv[0]}: it isn't installed; is it in tests/setup/packages.ts?`,
      );
    }
    return { code, stdout: decode(stdout), stderr: said };
  }

  /** Runs a shell script to its end; resolves to what it printed, throws when it failed. */
  async sh(script: string): Promise<string> {
    const { code, stdout, stderr } = await this.run(["bash", "-euc", script]);
    if (code !== 0) {
      throw new Error(`In ${this.name}: ${script.trim()}: ${stderr.trim()} (${code})`);
    }
    return stdout;
  }

  /** Starts a process that stays; resolves when it is the program that was asked for. */
  async spawn(argv: readonly string[], options: SpawnOptions = {}): Promise<Running> {
    const child = this.#command(argv, options).spawn();
    let over = false;
    const status = child.status.then((value) => {
      over = true;
      return value;
    });
    let pid: number | undefined;
    while (!over) {
      [pid] = childrenOf(child.pid);
      if (pid !== undefined && isItself(pid, child.pid)) break;
      await sleep(2);
    }
    const target = pid ?? child.pid;
    const signal = (name: Deno.Signal) => {
      // nsenter stops itself when its child is stopped, maybe only after that one was told to go on.
      const targets = name === "SIGCONT" ? [child.pid, target] : [target];
      if (!over) targets.forEach((one) => signalTo(one, name));
    };
    const stop = async (graceMs = 3000) => {
      signal("SIGTERM");
      const timer = setTimeout(() => signal("SIGKILL"), graceMs);
      // A stopped process ends nothing, and a stopped nsenter doesn't tell of the end.
      const going = setInterval(() => signal("SIGCONT"), GO_ON_MS);
      await status;
      clearTimeout(timer);
      clearInterval(going);
    };
    return { pid: target, child, status, stop, signal };
  }

  /** Every process of this machine, as the host numbers them, the first process left out. */
  pids(): number[] {
    const own = namespaceOf(this.pid);
    const found: number[] = [];
    for (const entry of Deno.readDirSync("/proc")) {
      const pid = Number(entry.name);
      if (Number.isInteger(pid) && pid !== this.pid && namespaceOf(pid) === own) found.push(pid);
    }
    return found;
  }

  /** The words before a command that make it run in this machine. */
  prefix(): string[] {
    return ["nsenter", "-t", String(this.pid), "-m", "-n", "-p", "--"];
  }

  /**
   * Makes the kernel acknowledge at once on loopback: Debian's vpcd writes length and body apart,
   * and the delayed acknowledgement would cost 40 ms for each APDU.
   */
  async quickAckLoopback(): Promise<void> {
    // The address has a route of its own, more specific than the net's: both must say so.
    for (const to of ["127.0.0.0/8", "127.0.0.1"]) {
      await this.sh(
        `ip route change table local local ${to} dev lo proto kernel scope host src 127.0.0.1 quickack 1`,
      );
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    signalTo(this.pid, "SIGKILL");
    await this.#holder.status;
  }

  #command(argv: readonly string[], options: SpawnOptions): Deno.Command {
    const [program = "", ...args] = [...this.prefix(), ...argv];
    return new Deno.Command(program, {
      args,
      stdin: options.stdin ?? "null",
      stdout: options.stdout ?? "null",
      stderr: options.stderr ?? "null",
      ...(options.env ? { env: options.env } : {}),
      ...(options.cwd ? { cwd: options.cwd } : {}),
    });
  }
}

/** Direct children of a process, on any of its threads. */
export function childrenOf(pid: number): number[] {
  try {
    const found: number[] = [];
    for (const task of Deno.readDirSync(`/proc/${pid}/task`)) {
      const text = Deno.readTextFileSync(`/proc/${pid}/task/${task.name}/children`);
      found.push(...text.trim().split(" ").filter((word) => word !== "").map(Number));
    }
    return found;
  } catch (error) {
    if (isGone(error)) return [];
    throw error;
  }
}

/**
 * Whether a child of nsenter's has become the program that it was forked for: it has arguments of its
 * own, which a process gets after its file and its name.
 */
function isItself(pid: number, nsenter: number): boolean {
  try {
    const [own, parents] = [pid, nsenter].map((one) =>
      Deno.readTextFileSync(`/proc/${one}/cmdline`)
    );
    return own !== "" && own !== parents;
  } catch (error) {
    if (isGone(error)) return false; // its status is about to come
    throw error;
  }
}

/** Before a file of a process was opened, or between that and the reading (ESRCH). */
function isGone(error: unknown): boolean {
  return error instanceof Deno.errors.NotFound ||
    (error instanceof Error && /os error 3\b/.test(error.message));
}

/** Sends a signal to a process, unless that has ended meanwhile. */
export function signalTo(pid: number, name: Deno.Signal): void {
  try {
    Deno.kill(pid, name);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function namespaceOf(pid: number): string | undefined {
  try {
    return Deno.readLinkSync(`/proc/${pid}/ns/pid`);
  } catch {
    return undefined; // it ended between listing and looking
  }
}

async function firstLine(stream: ReadableStream<Uint8Array>): Promise<string> {
  const reader = stream.getReader();
  let text = "";
  while (!text.includes("\n")) {
    const { value, done } = await reader.read();
    if (done) break;
    text += decode(value);
  }
  await reader.cancel();
  return text.split("\n")[0] ?? "";
}

function decode(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("utf8");
}
