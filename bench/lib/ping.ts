/** Round trips of pings through the tunnel, with nothing else under way. */
import { INSIDE, type Wire } from "./wire.ts";

const INTERVAL_SECONDS = 0.005;

/** A runtime that compiles while it runs takes so many to have done with it. */
const WARM_UP = 2_000;
const warm = new WeakMap<Wire, number[]>();

/** As `roundTrips`, after 2,000 on a wire that are told apart as `cold`: for both makes alike. */
export async function warmRoundTrips(
  wire: Wire,
  count: number,
): Promise<{ times: number[]; cold: readonly number[] }> {
  const cold = warm.get(wire) ?? await roundTrips(wire, WARM_UP);
  warm.set(wire, cold);
  return { times: await roundTrips(wire, count), cold };
}

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
