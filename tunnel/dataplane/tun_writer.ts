/** Received packets on their way into the TUN: gathered, merged where the kernel takes it, written. */
import { Run } from "../offload/merge.ts";
import type { PacketMemory } from "../offload/split.ts";
import type { Tun } from "./tun.ts";

const MOST_PACKETS = 1024;

export class TunWriter {
  readonly #tun: Tun;
  readonly #run: Run;
  readonly #offsets = new Int32Array(MOST_PACKETS);
  readonly #lengths = new Int32Array(MOST_PACKETS);
  #count = 0;
  /** Packets that the kernel didn't take. */
  failed = 0;

  constructor(tun: Tun, memory: PacketMemory) {
    this.#tun = tun;
    this.#run = new Run(memory);
  }

  get full(): boolean {
    return this.#count === MOST_PACKETS;
  }

  add(offset: number, length: number): void {
    this.#offsets[this.#count] = offset;
    this.#lengths[this.#count++] = length;
  }

  /** Writes everything. Throws TunGone. */
  flush(): void {
    const count = this.#count;
    this.#count = 0;
    for (let index = 0; index < count;) index = this.#writeFrom(index, count);
  }

  /** Writes the packet at `index` with those that continue it; the next index. */
  #writeFrom(index: number, count: number): number {
    const tun = this.#tun;
    tun.beginWrite();
    const first = this.#offsets[index] ?? 0;
    const firstLength = this.#lengths[index] ?? 0;
    tun.addPiece(first, firstLength);
    let next = index + 1;
    if (tun.offloads) {
      const run = this.#run;
      run.begin(first, firstLength);
      while (next < count && tun.room > 0) {
        const offset = this.#offsets[next] ?? 0;
        const length = this.#lengths[next] ?? 0;
        if (!run.take(offset, length)) break;
        tun.addPiece(offset + run.headerLength, length - run.headerLength);
        next++;
      }
      run.finish(tun.writeHeader);
    }
    if (!tun.endWrite()) this.failed += next - index;
    return next;
  }
}
