/** The tunnel's throughput: statuses go in, the last five minutes come out. @core */
import type { GatewayStatus } from "../../gateway/view.ts";

/** One second of the tunnel: bytes a second, as of `at` (Unix milliseconds). */
export interface ThroughputSample {
  readonly at: number;
  readonly sent: number;
  readonly received: number;
}

/**
 * Statuses come once a second with counters as fresh as they are. One that a page is told when it
 * comes has those of the second before: what happened until the next one took longer than it seems.
 */
export const LEAST_SPACING_MS = 800;

/** Samples kept: five minutes at one a second. */
export const KEPT_SAMPLES = 300;

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
    const at = status.now;
    const sent = status.tunnel?.sentBytes ?? 0;
    const received = status.tunnel?.receivedBytes ?? 0;
    const last = this.#last;
    this.#last = { at, sent, received };
    // The first one, one that came in between, or the clock stepped back.
    if (last === undefined || at - last.at < LEAST_SPACING_MS) return;
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
