/** What a key-holding process asks of the kernel, and its fastest way out. */
const libc = Deno.dlopen("libc.so.6", {
  prctl: { parameters: ["i32", "u64", "u64", "u64", "u64"], result: "i32" },
  setrlimit: { parameters: ["i32", "buffer"], result: "i32" },
  mlockall: { parameters: ["i32"], result: "i32" },
  getppid: { parameters: [], result: "i32" },
  _exit: { parameters: ["i32"], result: "void" },
});

const PR_SET_PDEATHSIG = 1n;
const PR_SET_DUMPABLE = 4n;
const SIGKILL = 9n;
const RLIMIT_CORE = 4;
const MCL_CURRENT_FUTURE_ONFAULT = 1 | 2 | 4;

/** What could not be had; the process goes on without, and says so. */
export type HardeningGap = "dumpable" | "core" | "swap" | "parent-death";

/**
 * No core dump, no ptrace or /proc/PID/mem by other users, no page to swap, and death when the
 * parent thread dies. Source: prctl(2), mlockall(2) with MCL_ONFAULT, setrlimit(2).
 */
export function hardenProcess(): HardeningGap[] {
  const gaps: HardeningGap[] = [];
  const prctl = (option: bigint, value: bigint) =>
    libc.symbols.prctl(Number(option), value, 0n, 0n, 0n) === 0;
  if (!prctl(PR_SET_DUMPABLE, 0n)) gaps.push("dumpable");
  if (libc.symbols.setrlimit(RLIMIT_CORE, new BigUint64Array(2)) !== 0) gaps.push("core");
  if (libc.symbols.mlockall(MCL_CURRENT_FUTURE_ONFAULT) !== 0) gaps.push("swap");
  if (!prctl(PR_SET_PDEATHSIG, SIGKILL)) gaps.push("parent-death");
  return gaps;
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
