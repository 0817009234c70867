/**
 * Datagrams on their way out: made in places of the arena that are given out here, gathered, and
 * sent with as few calls as the kernel allows.
 */
import type { Endpoint } from "../protocol/endpoint.ts";
import { OUT_END, OUT_START } from "./arena.ts";
import type { Sockets } from "./sockets.ts";

const MOST_PACKETS = 2048;
/** Around a packet in the arena: header in front, padding and tag behind, up to the next place. */
const HEADROOM = 16;
const TAILROOM = 48;

export class UdpSender {
  /** Our addresses that were learnt before this number was reached aren't used any more. */
  generation = 1;
  /** Datagrams for which there is no socket. */
  unreachable = 0;
  readonly #sockets: Sockets;
  readonly #notice: (message: string) => void;
  readonly #endpoints: (Endpoint | undefined)[] = new Array(MOST_PACKETS).fill(undefined);
  readonly #offsets = new Int32Array(MOST_PACKETS);
  readonly #lengths = new Int32Array(MOST_PACKETS);
  #count = 0;
  #next = OUT_START;

  constructor(sockets: Sockets, notice: (message: string) => void) {
    this.#sockets = sockets;
    this.#notice = notice;
  }

  /** A place for a packet of `length` bytes and what goes around it; what waits may be sent first. */
  reserve(length: number): number {
    const needed = (HEADROOM + length + TAILROOM) & ~15;
    if (this.#next + needed > OUT_END || this.#count === MOST_PACKETS) this.flush();
    const offset = this.#next + HEADROOM;
    this.#next += needed;
    return offset;
  }

  /** Sends the datagram at `offset` with the next flush; it lies where `reserve` said. */
  add(endpoint: Endpoint, offset: number, length: number): void {
    this.#endpoints[this.#count] = endpoint;
    this.#offsets[this.#count] = offset;
    this.#lengths[this.#count++] = length;
  }

  /** Sends everything. All places are free again. */
  flush(): void {
    const count = this.#count;
    this.#count = 0;
    this.#next = OUT_START;
    for (let index = 0; index < count;) index = this.#sendFrom(index, count);
  }

  /** Sends the datagram at `index` with those to the same endpoint that fit; the next index. */
  #sendFrom(index: number, count: number): number {
    const endpoint = this.#endpoints[index];
    // Each below `count` was set by `add`.
    if (endpoint === undefined) return count;
    const socket = endpoint.family === 4 ? this.#sockets.socket4 : this.#sockets.socket6;
    if (socket === undefined) {
      this.unreachable++;
      return index + 1;
    }
    let next = index;
    do {
      if (!socket.add(this.#offsets[next] ?? 0, this.#lengths[next] ?? 0)) break;
      next++;
    } while (next < count && this.#endpoints[next] === endpoint);
    const segments = socket.segments;
    socket.flush(endpoint, this.generation);
    if (segments && !socket.segments) {
      this.#notice("a route takes no UDP segmentation; datagrams are sent one by one");
    }
    return next;
  }
}
