/** What a key-holding process asks of the kernel, and its fastest way out. */
const libc = Deno.dlopen("libc.so.6", {
  prctl: { parameters: ["i32", "u64", "u64", "u64", "u64"], result: "i32" },
  setrlimit: { parameters: ["i32", "buffer"], result: "i32" },
  getppid: { parameters: [], result: "i32" },
  _exit: { parameters: ["i32"], result: "void" },
});

const PR_SET_PDEATHSIG = 1n;
const PR_SET_DUMPABLE = 4n;
const SIGKILL = 9n;
const RLIMIT_CORE = 4;

/** What could not be had; the process goes on without, and says so. */
export type HardeningGap = "dumpable" | "core" | "swap" | "parent-death";

/**
 * No core dump, no ptrace or /proc/PID/mem by other users, and death when the parent thread dies;
 * tells whether pages of this process could be swapped out. They can't be locked as a whole
 * (mlockall): the runtime gives memory back by MADV_DONTNEED, which the kernel refuses for locked
 * pages, and then aborts. Source: prctl(2), setrlimit(2), madvise(2).
 */
export function hardenProcess(): HardeningGap[] {
  const gaps: HardeningGap[] = [];
  const prctl = (option: bigint, value: bigint) =>
    libc.symbols.prctl(Number(option), value, 0n, 0n, 0n) === 0;
  if (!prctl(PR_SET_DUMPABLE, 0n)) gaps.push("dumpable");
  if (libc.symbols.setrlimit(RLIMIT_CORE, new BigUint64Array(2)) !== 0) gaps.push("core");
  if (canSwap(readOr("/proc/swaps", ""), swapLimit())) gaps.push("swap");
  if (!prctl(PR_SET_PDEATHSIG, SIGKILL)) gaps.push("parent-death");
  return gaps;
}

/** True when swap space is there (proc(5), /proc/swaps) and the control group may use it. */
export function canSwap(swaps: string, limit: string): boolean {
  return swaps.trim().split("\n").length > 1 && limit.trim() !== "0";
}

/** The parent's process id; 1 or a reaper's when the parent is gone. */
export function parentPid(): number {
  return libc.symbols.getppid();
}

/** Ends every thread at once, without the runtime's own clean-up (_exit(2)). */
export function exitNow(code: number): never {
  libc.symbols._exit(code);
  throw new Error("_exit returned"); // it cannot
}

/** What this process's control group may swap (cgroup v2, memory.swap.max). */
function swapLimit(): string {
  const group = /^0::(.*)$/m.exec(readOr("/proc/self/cgroup", ""))?.[1] ?? "/";
  return readOr(`/sys/fs/cgroup${group}/memory.swap.max`, "max");
}

function readOr(path: string, otherwise: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return otherwise;
  }
}
