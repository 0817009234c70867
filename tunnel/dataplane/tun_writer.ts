/** Received packets on their way into the TUN: gathered, merged where the kernel takes it, written. */
import { EINVAL } from "../../os/errno.ts";
import { Run } from "../offload/merge.ts";
import type { PacketMemory } from "../offload/packet_memory.ts";
import type { Tun } from "./tun.ts";

const MOST_PACKETS = 1024;

export class TunWriter {
  readonly #tun: Tun;
  readonly #run: Run;
  readonly #notice: (message: string) => void;
  readonly #offsets = new Int32Array(MOST_PACKETS);
  readonly #lengths = new Int32Array(MOST_PACKETS);
  #count = 0;
  /** Packets that the kernel didn't take. */
  failed = 0;

  constructor(tun: Tun, parts: { memory: PacketMemory; notice: (message: string) => void }) {
    this.#tun = tun;
    this.#run = new Run(parts.memory, { tcp: tun.offloads, udp: tun.cutsUdp });
    this.#notice = parts.notice;
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
    const error = tun.endWrite();
    if (error === 0) return next;
    if (next > index + 1 && error === EINVAL) this.#writeSingly(index, next);
    else this.failed += next - index;
    return next;
  }

  /** The kernel refused to cut what was merged. If it takes the parts, it isn't asked again. */
  #writeSingly(from: number, to: number): void {
    const run = this.#run;
    run.undo();
    let taken = 0;
    for (let index = from; index < to; index++) {
      this.#tun.beginWrite();
      this.#tun.addPiece(this.#offsets[index] ?? 0, this.#lengths[index] ?? 0);
      if (this.#tun.endWrite() === 0) taken++;
      else this.failed++;
    }
    if (taken === 0) return;
    if (run.isUdp) run.choices.udp = false;
    else run.choices.tcp = false;
    this.#notice(`the TUN takes no merged ${run.isUdp ? "UDP" : "TCP"} here`);
  }
}
