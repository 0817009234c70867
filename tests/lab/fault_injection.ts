/** System calls that fail or wait as a test wants them to, by strace's fault injection. */
import { labTest } from "./needs.ts";

/** A test whose processes run under `injecting`; skipped in plain sight where that can't be. */
export const faultTest: typeof labTest = await canInject()
  ? labTest
  : (name) => Deno.test.ignore(`${name} (skipped: needs strace)`, () => {});

/** The words before a command; `fault` is what strace(1) says of `inject=`. */
export function injecting(fault: string, record: string): string[] {
  const [call = ""] = fault.split(":");
  return [
    ...["strace", "-f", "--seccomp-bpf", "-qq", "-o", record],
    ...["-e", `trace=${call}`, "-e", `inject=${fault}`],
  ];
}

/** The same for a process that runs already; resolves when it holds for all of its threads. */
export async function injectInto(pid: number, fault: string): Promise<AsyncDisposable> {
  // That one is for processes which strace starts.
  const [strace = "", ...options] = injecting(fault, "/dev/null")
    .filter((word) => word !== "--seccomp-bpf");
  const child = new Deno.Command(strace, { args: [...options, "-p", `${pid}`], stdin: "null" })
    .spawn();
  let over = false;
  void child.status.then(() => over = true);
  const isTraced = (thread: string) => {
    try {
      const status = Deno.readTextFileSync(`/proc/${pid}/task/${thread}/status`);
      return /^TracerPid:\t[1-9]/m.test(status);
    } catch {
      return true; // it ended
    }
  };
  const isReady = () =>
    [...Deno.readDirSync(`/proc/${pid}/task`)].every(({ name }) => isTraced(name));
  while (!over && !isReady()) await new Promise((resolve) => setTimeout(resolve, 20));
  return {
    async [Symbol.asyncDispose]() {
      if (!over) child.kill("SIGTERM");
      await child.status;
    },
  };
}

async function canInject(): Promise<boolean> {
  try {
    const { success } = await new Deno.Command("strace", {
      args: [...injecting("getppid:error=EPERM", "/dev/null").slice(1), "true"],
      stdout: "null",
      stderr: "null",
    }).output();
    return success;
  } catch {
    return false;
  }
}
