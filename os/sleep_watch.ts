/** Tells this process that the machine slept, as soon as it is awake again. */
import { awakeTime, bootTime } from "./clock.ts";
import { SleepGauge } from "./sleep_gauge.ts";

/** From waking to the news, in milliseconds at most; a look costs less than a microsecond. */
const LOOK_MS = 50;

/** Calls `onSlept` with the milliseconds, after each sleep. Doesn't keep the process alive. */
export function watchSleep(onSlept: (milliseconds: number) => void): { stop(): void } {
  const clocks = () => ({ boot: bootTime(), awake: awakeTime() });
  const gauge = new SleepGauge(clocks());
  const timer = setInterval(() => {
    const slept = gauge.read(clocks());
    if (slept > 0) onSlept(slept);
  }, LOOK_MS);
  Deno.unrefTimer(timer);
  return { stop: () => clearInterval(timer) };
}
