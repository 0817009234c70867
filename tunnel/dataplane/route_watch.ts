/**
 * Hears from the kernel (rtnetlink(7)) when addresses, routes or links change, so that learnt source
 * addresses are forgotten and the MTU is known. It sees the network namespace it was opened in.
 */
import { libc } from "../../os/libc.ts";

const AF_NETLINK = 16;
const SOCK_RAW_FLAGS = 3 | 0x800 | 0x80000;
/** RTMGRP_LINK, IPV4_IFADDR, IPV4_ROUTE, IPV6_IFADDR, IPV6_ROUTE. */
const GROUPS = 0x1 | 0x10 | 0x40 | 0x100 | 0x400;
const BUFFER_BYTES = 16_384;

export class RouteWatch {
  readonly descriptor: number;
  readonly #buffer = new Uint8Array(BUFFER_BYTES);

  private constructor(descriptor: number) {
    this.descriptor = descriptor;
  }

  /** Undefined where it can't be had; the tunnel does without. */
  static open(): RouteWatch | undefined {
    const descriptor = libc.socket(AF_NETLINK, SOCK_RAW_FLAGS, 0);
    if (descriptor < 0) return undefined;
    const address = new Uint8Array(12);
    const view = new DataView(address.buffer);
    view.setUint16(0, AF_NETLINK, true);
    view.setUint32(8, GROUPS, true);
    if (libc.bind(descriptor, address, address.length) < 0) {
      libc.close(descriptor);
      return undefined;
    }
    return new RouteWatch(descriptor);
  }

  /** Takes all that was said; what it was doesn't matter. An overrun counts as something said. */
  drain(): void {
    for (let message = 0; message < 64; message++) {
      if (libc.recv(this.descriptor, this.#buffer, BigInt(BUFFER_BYTES), 0) <= 0) return;
    }
  }

  close(): void {
    libc.close(this.descriptor);
  }
}
