/** The tunnel's throughput: statuses go in, the last five minutes come out. @core */
import type { GatewayStatus } from "../../gateway/view.ts";

/** One second of the tunnel: bytes a second, as of `at` (Unix milliseconds). */
export interface ThroughputSample {
  readonly at: number;
  readonly sent: number;
  readonly received: number;
}

/** Less lies between two statuses only where one is told to a page that has just come. */
export const LEAST_SPACING_MS = 800;

/** Samples kept: five minutes at one a second. */
export const KEPT_SAMPLES = 300;

/**
 * Rates go by when the engine counted: its looks and the gateway's statuses don't keep step, so that
 * now and then a status has no new count, and the one after it has that of two seconds.
 */
export class ThroughputHistory {
  #samples: ThroughputSample[] = [];
  #last: { at: number; sent: number; received: number } | undefined;

  constructor(samples: readonly ThroughputSample[] = []) {
    this.#samples = samples.slice(-KEPT_SAMPLES);
  }

  get samples(): readonly ThroughputSample[] {
    return this.#samples;
  }

  add(status: GatewayStatus): void {
    const at = status.tunnel?.countedAt || status.now;
    const sent = status.tunnel?.sentBytes ?? 0;
    const received = status.tunnel?.receivedBytes ?? 0;
    const last = this.#last;
    // The same count again, or one that came in between: the next one has it all.
    if (last !== undefined && at >= last.at && at - last.at < LEAST_SPACING_MS) return;
    this.#last = { at, sent, received };
    // The first one, or the clock stepped back.
    if (last === undefined || at < last.at) return;
    const seconds = (at - last.at) / 1000;
    this.#samples.push({
      at,
      // A new tunnel counts from nothing: what it has so far is what it did since.
      sent: (sent >= last.sent ? sent - last.sent : sent) / seconds,
      received: (received >= last.received ? received - last.received : received) / seconds,
    });
    if (this.#samples.length > KEPT_SAMPLES) this.#samples.shift();
  }
}
