/**
 * Readings of two clocks in, of which one stands still while the machine sleeps; how long it slept
 * since the last reading out. Nothing else that can hold a process up counts as sleep. @core
 */

/** Shorter ones are not told: between the two readings a process may be held up for a while. */
const SHORTEST_MS = 1_000;

/** In milliseconds, the first one read before the second. */
export interface Clocks {
  /** Since boot, sleep included. */
  readonly boot: number;
  /** Since boot, sleep left out. */
  readonly awake: number;
}

/** Tells how long its machine slept, whoever reads the clocks for it. */
export class SleepGauge {
  /** What the machine slept since boot, at least: a process held up between the readings reads less. */
  #slept: number;

  constructor(clocks: Clocks) {
    this.#slept = sleptBy(clocks);
  }

  /** Milliseconds that the machine slept since it last was asked, or 0. */
  read(clocks: Clocks): number {
    const more = sleptBy(clocks) - this.#slept;
    if (more > 0) this.#slept += more;
    return more < SHORTEST_MS ? 0 : more;
  }
}

function sleptBy({ boot, awake }: Clocks): number {
  return boot - awake;
}
