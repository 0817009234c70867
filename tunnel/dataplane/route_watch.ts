/**
 * Hears from the kernel (rtnetlink(7)) when addresses, routes or links change, so that learnt source
 * addresses are forgotten and the MTU is known. It sees the network namespace it was opened in, and
 * the links of one other.
 */
import { ENOBUFS } from "../../os/errno.ts";
import { errno, libc } from "../../os/libc.ts";

const AF_NETLINK = 16;
const SOCK_RAW_FLAGS = 3 | 0x800 | 0x80000;
const RTMGRP_LINK = 0x1;
/** RTMGRP_LINK, IPV4_IFADDR, IPV4_ROUTE, IPV6_IFADDR, IPV6_ROUTE. */
const GROUPS = RTMGRP_LINK | 0x10 | 0x40 | 0x100 | 0x400;
const BUFFER_BYTES = 16_384;
const EPOLL_CLOEXEC = 0x80000;
const EPOLL_CTL_ADD = 1;
/** struct epoll_event: EPOLLIN and no data. */
const READABLE = new Uint8Array(16).fill(1, 0, 1);

export class RouteWatch {
  /** An epoll(7) descriptor: readable while either socket has something to say. */
  readonly descriptor: number;
  readonly #home: number;
  #away = -1;
  readonly #buffer = new Uint8Array(BUFFER_BYTES);

  private constructor(descriptor: number, home: number) {
    this.descriptor = descriptor;
    this.#home = home;
  }

  /** Undefined where it can't be had; the tunnel does without. */
  static open(): RouteWatch | undefined {
    const home = openSocket(GROUPS);
    if (home < 0) return undefined;
    const descriptor = libc.epoll_create1(EPOLL_CLOEXEC);
    if (descriptor < 0 || libc.epoll_ctl(descriptor, EPOLL_CTL_ADD, home, READABLE) < 0) {
      if (descriptor >= 0) libc.close(descriptor);
      libc.close(home);
      return undefined;
    }
    return new RouteWatch(descriptor, home);
  }

  /**
   * Takes all that was said, and says whether there was something; what it was doesn't matter. An
   * overrun counts as something said.
   */
  drain(): boolean {
    const home = this.#drain(this.#home);
    return this.#away >= 0 && this.#drain(this.#away) || home;
  }

  /** Hears from now on also of links in the namespace in which this is called. */
  follow(): void {
    this.stayHome();
    const away = openSocket(RTMGRP_LINK);
    if (away < 0) return;
    if (libc.epoll_ctl(this.descriptor, EPOLL_CTL_ADD, away, READABLE) < 0) libc.close(away);
    else this.#away = away;
  }

  /** Hears only of the namespace in which it was opened. */
  stayHome(): void {
    if (this.#away >= 0) libc.close(this.#away);
    this.#away = -1;
  }

  close(): void {
    this.stayHome();
    libc.close(this.#home);
    libc.close(this.descriptor);
  }

  #drain(socket: number): boolean {
    for (let message = 0; message < 64; message++) {
      if (libc.recv(socket, this.#buffer, BigInt(BUFFER_BYTES), 0) > 0) continue;
      return message > 0 || errno() === ENOBUFS;
    }
    return true;
  }
}

/** Below 0 if it can't be had. */
function openSocket(groups: number): number {
  const socket = libc.socket(AF_NETLINK, SOCK_RAW_FLAGS, 0);
  if (socket < 0) return socket;
  const address = new Uint8Array(12);
  const view = new DataView(address.buffer);
  view.setUint16(0, AF_NETLINK, true);
  view.setUint32(8, groups, true);
  if (libc.bind(socket, address, address.length) === 0) return socket;
  libc.close(socket);
  return -1;
}
