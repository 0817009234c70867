/** Datagrams on their way out: gathered, and sent with as few calls as the kernel allows. */
import type { Endpoint } from "../protocol/endpoint.ts";
import type { UdpSocket } from "./udp.ts";

const MOST_PACKETS = 2048;

export class UdpSender {
  socket4: UdpSocket | undefined;
  socket6: UdpSocket | undefined;
  /** Our addresses that were learnt before this number was reached aren't used any more. */
  generation = 1;
  /** Datagrams for which there is no socket. */
  unreachable = 0;
  readonly #endpoints: (Endpoint | undefined)[] = new Array(MOST_PACKETS).fill(undefined);
  readonly #offsets = new Int32Array(MOST_PACKETS);
  readonly #lengths = new Int32Array(MOST_PACKETS);
  #count = 0;

  get full(): boolean {
    return this.#count === MOST_PACKETS;
  }

  add(endpoint: Endpoint, offset: number, length: number): void {
    this.#endpoints[this.#count] = endpoint;
    this.#offsets[this.#count] = offset;
    this.#lengths[this.#count++] = length;
  }

  flush(): void {
    const count = this.#count;
    this.#count = 0;
    for (let index = 0; index < count;) {
      const endpoint = this.#endpoints[index];
      if (endpoint === undefined) break;
      const socket = endpoint.family === 4 ? this.socket4 : this.socket6;
      if (socket === undefined) {
        this.unreachable++;
        index++;
        continue;
      }
      do {
        if (!socket.add(this.#offsets[index] ?? 0, this.#lengths[index] ?? 0)) break;
        index++;
      } while (index < count && this.#endpoints[index] === endpoint);
      socket.flush(endpoint, this.generation);
    }
  }
}
