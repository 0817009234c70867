/** One UDP socket that speaks from any of its machine's addresses. */
import { Arena, FROM_UDP, OUT_START } from "../../../tunnel/dataplane/arena.ts";
import { UdpSocket } from "../../../tunnel/dataplane/udp.ts";
import { Endpoint, endpointOf } from "../../../tunnel/protocol/endpoint.ts";

const GENERATION = 1;

export class ManyAddresses {
  readonly #arena = new Arena();
  readonly #socket: UdpSocket;
  readonly #to: Endpoint;
  readonly #from = new Endpoint();

  /** `to`: the responder's IPv4 address as a word, and its port. */
  constructor(to: { address: number; port: number }) {
    const socket = UdpSocket.open(
      4,
      { port: 0, fwmark: 0, bindInterface: undefined, offloads: false },
      this.#arena,
    );
    if (typeof socket === "number") throw new Error(`Cannot open a socket: error ${socket}`);
    this.#socket = socket;
    this.#to = endpointOf({ family: 4, words: [to.address] }, to.port);
  }

  /** Datagrams that the kernel did not take. */
  get failed(): number {
    return this.#socket.failed;
  }

  send(message: Uint8Array, fromAddress: number): void {
    this.#arena.bytes.set(message, OUT_START);
    this.#to.words[6] = fromAddress;
    this.#to.words[11] = GENERATION;
    this.#socket.add(OUT_START, message.length);
    this.#socket.flush(this.#to, GENERATION);
  }

  /** The next datagram and the address that it came to; undefined if there is none now. */
  receive(): { message: Uint8Array; toAddress: number } | undefined {
    const length = this.#socket.receive(this.#from, GENERATION);
    if (length <= 0) return undefined;
    const message = this.#arena.bytes.slice(FROM_UDP, FROM_UDP + length);
    return { message, toAddress: this.#from.words[6] ?? 0 };
  }
}
