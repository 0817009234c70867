/**
 * Contract: an address that gave wrong passwords waits before its next try, twice as long each
 * time; no clock and no I/O inside, and memory for a bounded number of addresses. @core
 */
export class SignInLimiter {
  readonly #tries = new Map<string, { wrong: number; notBefore: number; last: number }>();

  /**
   * Asks for a try. It counts as wrong from now on, so that tries made at the same time can't slip
   * through together; {@link succeeded} takes that back.
   * @param now Unix milliseconds.
   * @returns 0 when the try may be made, else how many milliseconds to wait.
   */
  begin(address: string, now: number): number {
    const key = rateKey(address);
    const known = this.#tries.get(key);
    const before = known !== undefined && now - known.last < FORGET_MS ? known : undefined;
    if (before !== undefined && now < before.notBefore) return before.notBefore - now;
    const wrong = (before?.wrong ?? 0) + 1;
    const delay = wrong <= FREE_TRIES
      ? 0
      : Math.min(MAX_DELAY_MS, 1000 * 2 ** (wrong - FREE_TRIES));
    // Deleting first keeps the map in order of use, so that the oldest is the one to forget.
    this.#tries.delete(key);
    this.#tries.set(key, { wrong, notBefore: now + delay, last: now });
    if (this.#tries.size > MAX_ADDRESSES) {
      for (const oldest of this.#tries.keys()) {
        this.#tries.delete(oldest);
        break;
      }
    }
    return 0;
  }

  /** The password was right: the address starts afresh. */
  succeeded(address: string): void {
    this.#tries.delete(rateKey(address));
  }
}

/** Wrong tries before there is any wait: people mistype. */
const FREE_TRIES = 3;
const MAX_DELAY_MS = 5 * 60_000;
/** An address that was quiet for so long is new again. */
const FORGET_MS = 60 * 60_000;
const MAX_ADDRESSES = 4096;

/** What shares one limit: an IPv4 address, or an IPv6 /64, where addresses cost nothing. */
export function rateKey(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  if (!address.includes(":")) return address;
  const [head = "", tail] = address.toLowerCase().replace(/%.*$/, "").split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const middle = Array<string>(Math.max(0, 8 - left.length - right.length)).fill("0");
  const groups = tail === undefined ? left : [...left, ...middle, ...right];
  return groups.slice(0, 4).map((group) => group.replace(/^0+(?=.)/, "")).join(":") + "::/64";
}
