/**
 * A token bucket for each source address: `SOURCE_BURST` at once, then `SOURCE_RATE` a second.
 * IPv6 is limited by /64, since a host has that many addresses. The table is bounded; never one
 * limit for all, by which one sender could lock out the others.
 */
import { SOURCE_BURST, SOURCE_RATE, SOURCE_TABLE } from "./choices.ts";
import type { Endpoint } from "./endpoint.ts";

interface Bucket {
  tokens: number;
  at: number;
}

/** After so long a bucket is full again and need not be remembered. */
const REFILL_TIME = (SOURCE_BURST / SOURCE_RATE) * 1000;

export class SourceRateLimit {
  readonly #buckets = new Map<string, Bucket>();
  #sweptAt = 0;

  /** Whether one more from `source` may pass at `now`; takes a token if so. */
  allow(source: Endpoint, now: number): boolean {
    this.#sweep(now);
    const key = sourceKey(source);
    const bucket = this.#buckets.get(key);
    if (bucket === undefined) {
      if (this.#buckets.size >= SOURCE_TABLE) return false;
      this.#buckets.set(key, { tokens: SOURCE_BURST - 1, at: now });
      return true;
    }
    const refilled = Math.max(0, now - bucket.at) * SOURCE_RATE / 1000;
    bucket.tokens = Math.min(SOURCE_BURST, bucket.tokens + refilled);
    bucket.at = now;
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
  }

  #sweep(now: number): void {
    if (now - this.#sweptAt < REFILL_TIME) return;
    this.#sweptAt = now;
    for (const [key, bucket] of this.#buckets) {
      if (now - bucket.at >= REFILL_TIME) this.#buckets.delete(key);
    }
  }
}

function sourceKey(source: Endpoint): string {
  const { words, family } = source;
  return family === 4 ? `${words[1]}` : `${words[1]}:${words[2]}`;
}
