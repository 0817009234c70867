/**
 * TAI64N timestamps (whitepaper 5.1) that only grow: if the wall clock steps back, the last one
 * plus one step is used, so that the peer, which takes newer ones only, still answers.
 */
import { TIMESTAMP_WHITENING } from "./choices.ts";
import { TIMESTAMP_LENGTH } from "./spec.ts";

/** 2^62 + 10 seconds (TAI is ahead of UTC; leap seconds since 1970 are left out, as all peers do). */
const TAI64_BASE = 0x400000000000000an;

export class TimestampSource {
  #lastSeconds = 0;
  #lastNanos = 0;

  /** Writes the timestamp of `wallClock` (milliseconds since 1970) to `out`, 12 bytes. */
  write(out: Uint8Array, wallClock: number): void {
    let seconds = Math.floor(wallClock / 1000);
    let nanos = Math.floor((wallClock - seconds * 1000) * 1e6);
    nanos -= nanos % TIMESTAMP_WHITENING;
    const newer = seconds > this.#lastSeconds ||
      (seconds === this.#lastSeconds && nanos > this.#lastNanos);
    if (!newer) {
      seconds = this.#lastSeconds;
      nanos = this.#lastNanos + TIMESTAMP_WHITENING;
      if (nanos >= 1e9) {
        seconds += 1;
        nanos = 0;
      }
    }
    this.#lastSeconds = seconds;
    this.#lastNanos = nanos;
    writeTai(out, seconds, nanos);
  }
}

/** The timestamp of `wallClock` (milliseconds since 1970), to compare with. */
export function timestampOf(wallClock: number): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(TIMESTAMP_LENGTH);
  const seconds = Math.max(0, Math.floor(wallClock / 1000));
  writeTai(out, seconds, Math.max(0, Math.floor((wallClock - seconds * 1000) * 1e6)));
  return out;
}

function writeTai(out: Uint8Array, seconds: number, nanos: number): void {
  const view = new DataView(out.buffer, out.byteOffset, TIMESTAMP_LENGTH);
  view.setBigUint64(0, TAI64_BASE + BigInt(seconds));
  view.setUint32(8, nanos);
}

/** Whether timestamp `a` is later than `b`. */
export function isLater(a: Uint8Array, b: Uint8Array): boolean {
  for (let index = 0; index < TIMESTAMP_LENGTH; index++) {
    const left = a[index] ?? 0;
    const right = b[index] ?? 0;
    if (left !== right) return left > right;
  }
  return false;
}
