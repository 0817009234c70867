/**
 * An onlooker in a gateway's namespaces: writes down when the PC/SC service says that a card came
 * or went, and when the engines of a card that was pulled were gone. One JSON object a line; times are
 * Unix milliseconds with fractions. It asks the service itself, as the gateway does.
 */
import { startReaderMonitor } from "../../token/pcsc/monitor.ts";

export type Observation =
  | { readonly seen: "ready" | "card-in" | "card-out"; readonly at: number }
  /** More engines than before ran since the card came. */
  | { readonly seen: "engines"; readonly at: number; readonly engines: number }
  /** No engine is left of those that ran since the card came; `engines` says how many that were. */
  | { readonly seen: "engines-gone"; readonly at: number; readonly engines: number };

const POLL_MS = 1;
/** How often it looks which engines run while a card is in. */
const LOOK_MS = 100;

if (import.meta.main) {
  let present: boolean | undefined;
  // An engine hears of a removal when we do and may be gone before we look: known in advance.
  let known = new Set<number>();
  setInterval(() => {
    if (!present) return;
    const before = known.size;
    known = known.union(new Set(enginePids()));
    if (known.size > before) say({ seen: "engines", at: clock(), engines: known.size });
  }, LOOK_MS);
  startReaderMonitor({
    onChange(readers) {
      const now = readers.some((reader) => reader.card === "present");
      if (present === undefined) say({ seen: "ready", at: clock() });
      if (now !== (present ?? false)) {
        const at = clock();
        // Before it is said: whoever hears of it may end them at once.
        const engines = now ? [] : [...known.union(new Set(enginePids()))];
        say({ seen: now ? "card-in" : "card-out", at });
        if (!now) watchEngines(engines);
        known = new Set();
      }
      present = now;
    },
    onError: (error) => console.error(error.message),
  });
}

function watchEngines(engines: readonly number[]): void {
  const timer = setInterval(() => {
    if (engines.some(lives)) return;
    clearInterval(timer);
    say({ seen: "engines-gone", at: clock(), engines: engines.length });
  }, POLL_MS);
}

/** Processes of this machine that run the role `engine`. */
export function enginePids(pids: Iterable<number> = numbersIn("/proc")): number[] {
  const found = new Set([...pids].filter((pid) => {
    try {
      const words = Deno.readTextFileSync(`/proc/${pid}/cmdline`).split("\0");
      return words.includes("engine") && lives(pid);
    } catch {
      return false; // it ended between listing and looking
    }
  }));
  // Whatever one starts has its arguments for a moment, before it has its own.
  return [...found].filter((pid) => !found.has(parentOf(pid)));
}

/** proc(5), field 4; the name before it may hold spaces and parentheses. */
function parentOf(pid: number): number {
  try {
    const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
  } catch {
    return 0;
  }
}

/** False when the process is gone; a dead one that waits for its parent has no memory left. */
export function lives(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(Deno.readTextFileSync(`/proc/${pid}/stat`));
  } catch {
    return false;
  }
}

function* numbersIn(folder: string): Generator<number> {
  for (const { name } of Deno.readDirSync(folder)) {
    if (/^\d+$/.test(name)) yield Number(name);
  }
}

function say(observation: Observation): void {
  console.log(JSON.stringify(observation));
}

function clock(): number {
  return performance.timeOrigin + performance.now();
}
