/** Round trips of pings through the tunnel, with nothing else under way. */
import { INSIDE, type Wire } from "./wire.ts";

const INTERVAL_SECONDS = 0.005;

/** Milliseconds, one for each answer. Throws if any is missing. */
export async function roundTrips({ a }: Wire, count: number): Promise<number[]> {
  const { stdout } = await a.machine.run(
    ["ping", "-i", `${INTERVAL_SECONDS}`, "-c", `${count}`, INSIDE.b],
  );
  const times = [...stdout.matchAll(/time=([\d.]+) ms/g)].map(([, time]) => Number(time));
  if (times.length !== count) {
    throw new Error(`Cannot measure: ${times.length} of ${count} pings were answered`);
  }
  return times;
}
