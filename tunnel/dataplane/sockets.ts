/** The two UDP sockets of a device, one for each family, on the same port. */
import { EADDRINUSE } from "../../os/errno.ts";
import type { Arena } from "./arena.ts";
import { type SocketOptions, socketProblem, UdpSocket } from "./udp.ts";

/** How often another port is tried, when IPv4 got one that IPv6 can't have. */
const PORT_ATTEMPTS = 16;

export class PortError extends Error {
  override readonly name = "PortError";
  readonly inUse: boolean;
  constructor(error: number, port: number) {
    super(socketProblem(error, port));
    this.inUse = error === EADDRINUSE;
  }
}

interface Pair {
  readonly socket4?: UdpSocket;
  readonly socket6?: UdpSocket;
  readonly port: number;
}

export class Sockets {
  readonly #arena: Arena;
  readonly #choices: { readonly bindInterface: string | undefined; readonly offloads: boolean };
  readonly #notice: (message: string) => void;
  #socket4: UdpSocket | undefined;
  #socket6: UdpSocket | undefined;
  #port = 0;
  #fwmark = 0;
  #failedBefore = 0;

  constructor(
    arena: Arena,
    options: {
      bindInterface: string | undefined;
      offloads: boolean;
      notice: (message: string) => void;
    },
  ) {
    this.#arena = arena;
    this.#choices = { bindInterface: options.bindInterface, offloads: options.offloads };
    this.#notice = options.notice;
  }

  get socket4(): UdpSocket | undefined {
    return this.#socket4;
  }

  get socket6(): UdpSocket | undefined {
    return this.#socket6;
  }

  get port(): number {
    return this.#port;
  }

  get fwmark(): number {
    return this.#fwmark;
  }

  /** Datagrams that couldn't be sent, by these sockets and those before them. */
  get failed(): number {
    return this.#failedBefore + (this.#socket4?.failed ?? 0) + (this.#socket6?.failed ?? 0);
  }

  get segments(): boolean {
    return this.#socket4?.segments === true || this.#socket6?.segments === true;
  }

  get gro(): boolean {
    return this.#socket4?.gro === true || this.#socket6?.gro === true;
  }

  setFwmark(fwmark: number): void {
    if (fwmark === this.#fwmark) return;
    this.#socket4?.setFwmark(fwmark);
    this.#socket6?.setFwmark(fwmark);
    this.#fwmark = fwmark;
  }

  /**
   * Opens new sockets before the old ones go, unless they need the same port. Port 0 is any.
   * Throws PortError if the port can't be had; the old ones stay then, unless it was theirs.
   */
  open(port: number, fwmark: number): void {
    if (port !== 0 && port === this.#port) this.close();
    for (let attempt = 1;; attempt++) {
      const opened = this.#openPair({ ...this.#choices, fwmark, port });
      if (typeof opened !== "number") {
        this.close();
        this.#socket4 = opened.socket4;
        this.#socket6 = opened.socket6;
        this.#port = opened.port;
        this.#fwmark = fwmark;
        return;
      }
      if (port !== 0 || opened !== EADDRINUSE || attempt === PORT_ATTEMPTS) {
        throw new PortError(opened, port);
      }
    }
  }

  close(): void {
    this.#failedBefore = this.failed;
    this.#socket4?.close();
    this.#socket6?.close();
    this.#socket4 = undefined;
    this.#socket6 = undefined;
  }

  /** The error number if neither family can be had, or one's port is taken. */
  #openPair(options: SocketOptions): Pair | number {
    const socket4 = UdpSocket.open(4, options, this.#arena);
    const port = typeof socket4 === "number" ? options.port : socket4.port;
    const socket6 = UdpSocket.open(6, { ...options, port }, this.#arena);
    if (typeof socket6 !== "number") {
      if (typeof socket4 !== "number") return { socket4, socket6, port };
      if (socket4 !== EADDRINUSE) {
        this.#notice("no IPv4 on this machine");
        return { socket6, port: socket6.port };
      }
      socket6.close();
      return socket4;
    }
    if (typeof socket4 === "number") return socket4;
    if (socket6 === EADDRINUSE) {
      socket4.close();
      return socket6;
    }
    this.#notice("no IPv6 on this machine");
    return { socket4, port };
  }
}
