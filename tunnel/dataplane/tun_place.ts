/**
 * Where the TUN's interface is: it can be given another name and be moved to another network
 * namespace, where its MTU changes unseen from here.
 */
import { libc } from "../../os/libc.ts";
import { inNamespace, isOwnNamespace } from "../../os/network_namespace.ts";
import type { RouteWatch } from "./route_watch.ts";
import { readMtu, type Tun } from "./tun.ts";

export class TunPlace {
  readonly #tun: Tun;
  readonly #watch: RouteWatch | undefined;

  constructor(tun: Tun, watch: RouteWatch | undefined) {
    this.#tun = tun;
    this.#watch = watch;
  }

  /** The interface's MTU; undefined if it can't be known. Where it is, changes are heard from now on. */
  mtu(): number | undefined {
    const name = this.#tun.currentName();
    const namespace = this.#tun.openNamespace();
    if (namespace < 0) return readMtu(name);
    try {
      if (isOwnNamespace(namespace)) {
        this.#watch?.stayHome();
        return readMtu(name);
      }
      return inNamespace(namespace, () => {
        // Heard before it is read: no change falls between.
        this.#watch?.follow();
        return readMtu(name);
      });
    } finally {
      libc.close(namespace);
    }
  }
}
