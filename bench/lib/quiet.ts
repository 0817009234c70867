/** Other work on the machine: waited out where that is possible, and told where it isn't. */
import { sleep } from "../../tests/lab/machine.ts";

const SAMPLE_MS = 250;
const QUIET_SHARE = 0.15;

/**
 * Waits until the machine's processors have next to nothing to do, at most `limitMs`. Resolves to
 * the share of their time (0 to 1) that others took at last.
 */
export async function untilQuiet(limitMs: number): Promise<number> {
  for (let waited = 0;; waited += SAMPLE_MS) {
    const before = processorTimes();
    await sleep(SAMPLE_MS);
    const after = processorTimes();
    const busy = (after.busy - before.busy) / Math.max(1, after.all - before.all);
    if (busy <= QUIET_SHARE || waited >= limitMs) return busy;
  }
}

/** proc(5), /proc/stat: ticks of all processors since boot. */
function processorTimes(): { busy: number; all: number } {
  const [line = ""] = Deno.readTextFileSync("/proc/stat").split("\n");
  const [user = 0, nice = 0, system = 0, idle = 0, ioWait = 0, irq = 0, softIrq = 0, steal = 0] =
    line.split(/\s+/).slice(1).map(Number);
  const busy = user + nice + system + irq + softIrq + steal;
  return { busy, all: busy + idle + ioWait };
}
