/** Waiting with poll(2) for several descriptors; those that are -1 are passed over. */
import { libc, POLLERR, POLLIN, POLLNVAL } from "../../os/libc.ts";

const READY = POLLIN | POLLERR | POLLNVAL;

export class PollSet {
  /** struct pollfd: descriptor; then events below, results above. */
  readonly #entries: Int32Array<ArrayBuffer>;
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #size: number;

  constructor(size: number) {
    this.#size = size;
    this.#entries = new Int32Array(size * 2);
    this.#bytes = new Uint8Array(this.#entries.buffer);
  }

  set(index: number, descriptor: number): void {
    this.#entries[index * 2] = descriptor;
  }

  /** Waits until one is readable, or broken, or so many milliseconds have gone. */
  wait(milliseconds: number): void {
    for (let index = 0; index < this.#size; index++) this.#entries[index * 2 + 1] = POLLIN;
    libc.poll(this.#bytes, this.#size, Math.max(0, Math.ceil(milliseconds)));
  }

  isReady(index: number): boolean {
    return (((this.#entries[index * 2 + 1] ?? 0) >>> 16) & READY) !== 0;
  }
}
