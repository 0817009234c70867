/**
 * A tunnel whose packets the kernel's WireGuard carries: the same interface as that of our own, so
 * that an owner need not know. The private key is handed to the kernel; with an identity that stays
 * on a card this can't be.
 */
import { bootTime } from "../../os/clock.ts";
import { EADDRINUSE, EINVAL, ENODEV, EOPNOTSUPP } from "../../os/errno.ts";
import { cString, libc } from "../../os/libc.ts";
import {
  type CloseReason,
  type DeviceConfig,
  type DeviceStatus,
  publicKeyBytes,
  publicKeyFromBytes,
  type Tunnel,
  TunnelConfigError,
  type TunnelEvent,
  type TunnelOptions,
} from "../api.ts";
import { parsePrefix } from "../address.ts";
import { hasManualKey, readConfig } from "../config.ts";
import { coreChange } from "../dataplane/core_config.ts";
import { RouteWatch } from "../dataplane/route_watch.ts";
import { readMtu } from "../dataplane/tun.ts";
import { noDrops } from "../protocol/context.ts";
import type { CoreIdentity } from "../protocol/identity.ts";
import { REJECT_AFTER_TIME } from "../protocol/spec.ts";
import { Changes } from "./changes.ts";
import { Guard } from "./guard.ts";
import { KernelDevice, NetlinkError } from "./kernel_device.ts";
import type { KernelChange } from "./set_device.ts";

/** How often the kernel is asked what happened, in milliseconds: soon in the beginning. */
const LOOK_SOON = 50;
const LOOK_LATER = 1_000;
const SOON = 5_000;
/** A keepalive interval of this many seconds, for a moment, makes the kernel send one at once. */
const NUDGE = 65_535;

/** Why this machine's kernel doesn't carry a tunnel, in words. */
export interface Refusal {
  readonly refused: string;
}

/**
 * Makes the interface in the kernel: down and without an address, as `startTunnel` has it; the port
 * is taken when it is set up.
 *
 * @throws {TunnelConfigError} for a configuration that can't be taken
 */
export async function startKernelTunnel(
  options: TunnelOptions & { readonly mtu: number },
): Promise<Tunnel | Refusal> {
  const { ifname, mtu, identity, listenPort, fwmark, peers } = options;
  const change = readChange({
    ...(identity === undefined ? {} : { identity }),
    ...(listenPort === undefined ? {} : { listenPort }),
    ...(fwmark === undefined ? {} : { fwmark }),
    ...(peers === undefined ? {} : { peers }),
  });
  let device: KernelDevice;
  try {
    device = KernelDevice.create(ifname, mtu);
  } catch (error) {
    if (!(error instanceof NetlinkError)) throw error;
    return {
      refused: error.errno === EOPNOTSUPP ? "this kernel has no WireGuard" : error.message,
    };
  }
  // Before any key is in the kernel.
  const guard = await Guard.start(ifname, libc.if_nametoindex(cString(ifname))).catch((error) => {
    device.close();
    throw error;
  });
  const tunnel = new KernelTunnel(device, { guard, options });
  try {
    tunnel.begin(change);
    return tunnel;
  } catch (error) {
    tunnel.eraseNow();
    throw error instanceof NetlinkError ? configError(error) : error;
  }
}

class KernelTunnel implements Tunnel {
  readonly ifname: string;
  readonly carrier = "kernel";
  readonly closed: Promise<CloseReason>;
  readonly #device: KernelDevice;
  readonly #guard: Guard;
  readonly #onEvent: (event: TunnelEvent) => void;
  readonly #watch: RouteWatch | undefined;
  readonly #changes = new Changes();
  readonly #startedAt = bootTime();
  #identity: CoreIdentity = { kind: "none" };
  #mtu: number;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #ended = false;
  #resolveClosed: (reason: CloseReason) => void = () => {};

  constructor(
    device: KernelDevice,
    { guard, options }: { guard: Guard; options: TunnelOptions & { readonly mtu: number } },
  ) {
    this.ifname = options.ifname;
    this.#device = device;
    this.#guard = guard;
    this.#mtu = options.mtu;
    this.#onEvent = options.onEvent ?? (() => {});
    this.#watch = options.announce === true ? RouteWatch.open() : undefined;
    this.closed = new Promise((resolve) => this.#resolveClosed = resolve);
  }

  begin(change: KernelChange): void {
    this.#apply(change);
    this.#look();
  }

  set(config: DeviceConfig): Promise<void> {
    return this.#do(() => this.#apply(this.#withoutRemovals(readChange(config))));
  }

  get(): Promise<DeviceStatus> {
    return this.#do(() => this.#status());
  }

  /**
   * The kernel has no such command: without its key for a moment it gives up sending on the sessions
   * that are there, and a keepalive then begins a handshake.
   */
  rekey(): Promise<void> {
    return this.#do(() => {
      if (this.#identity.kind === "none") return;
      this.#device.set({ identity: { kind: "none" } });
      this.#device.set({ identity: this.#identity });
      this.#nudge();
    });
  }

  /** The kernel chooses its source anew by itself whenever routes change. */
  rebind(): Promise<void> {
    return this.#do(() => {});
  }

  eraseNow(): void {
    this.#stop();
  }

  async close(): Promise<void> {
    this.#end({ kind: "closed" });
    await this.closed;
  }

  #do<Result>(action: () => Result): Promise<Result> {
    return new Promise((resolve) => {
      if (this.#ended) throw new Error("Cannot reach tunnel: it has ended; start another");
      try {
        resolve(action());
      } catch (error) {
        throw error instanceof NetlinkError ? configError(error) : error;
      }
    });
  }

  #apply(change: KernelChange): void {
    this.#device.set(change);
    if (change.identity !== undefined) this.#identity = change.identity;
  }

  /** Kernels before 6.16 can't take single allowed IPs away: the others are set anew. */
  #withoutRemovals(change: KernelChange): KernelChange {
    const peers = (change.peers ?? []).map((peer) => {
      const { removeAllowedIps = [], replaceAllowedIps, ...rest } = peer;
      if (removeAllowedIps.length === 0 || replaceAllowedIps === true) return peer;
      const gone = new Set(removeAllowedIps.map(prefixKey));
      const key = publicKeyFromBytes(peer.publicKey);
      const left = this.#device.status().peers.find((one) => one.publicKey === key)?.allowedIps
        .map(parsePrefix).filter((prefix) => prefix !== undefined)
        .filter((prefix) => !gone.has(prefixKey(prefix))) ?? [];
      return {
        ...rest,
        replaceAllowedIps: true,
        allowedIps: [...left, ...peer.allowedIps ?? []],
      };
    });
    return { ...change, peers };
  }

  #status(): DeviceStatus {
    const { publicKey, peers, ...rest } = this.#device.status();
    const date = Date.now();
    this.#mtu = readMtu(this.ifname) ?? this.#mtu;
    return {
      ifname: this.ifname,
      ...rest,
      identity: publicKey === undefined ? "none" : "local",
      ...(publicKey === undefined ? {} : { publicKey: publicKeyFromBytes(publicKey) }),
      mtu: this.#mtu,
      crypto: "kernel",
      offloads: { tun: true, udpSegment: true, udpGro: true },
      underLoad: false,
      cookiesSent: 0,
      drops: noDrops(),
      peers: peers.map((peer) => ({
        ...peer,
        sessionAlive: date - peer.lastHandshake < REJECT_AFTER_TIME,
      })),
    };
  }

  /** Asks the kernel what happened, and again after a while. */
  #look(): void {
    try {
      if (this.#watch?.drain() === true) this.#nudge();
      const { peers } = this.#device.status();
      const at = { now: bootTime(), date: Date.now() };
      for (const event of this.#changes.look(peers, at)) this.#onEvent(event);
    } catch (error) {
      if (!(error instanceof NetlinkError)) throw error;
      return this.#end(
        error.errno === ENODEV
          ? { kind: "interface-deleted" }
          : { kind: "failed", message: error.message },
      );
    }
    if (this.#ended) return;
    const soon = bootTime() - this.#startedAt < SOON;
    this.#timer = setTimeout(() => this.#look(), soon ? LOOK_SOON : LOOK_LATER);
  }

  /** Speaks to every peer at once, so that it knows where we are. */
  #nudge(): void {
    const peers = this.#device.status().peers.filter(({ endpoint }) => endpoint !== undefined);
    for (const keepalive of [() => 0, () => NUDGE, ownKeepalive]) {
      this.#device.set({
        peers: peers.map((peer) => ({
          publicKey: publicKeyBytes(peer.publicKey),
          updateOnly: true,
          persistentKeepalive: keepalive(peer),
        })),
      });
    }
  }

  #end(reason: CloseReason): void {
    this.#stop();
    this.#resolveClosed(reason);
  }

  #stop(): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#device.close();
    this.#watch?.close();
    void this.#guard.dismiss();
  }
}

function ownKeepalive(peer: { persistentKeepalive: number }): number {
  return peer.persistentKeepalive;
}

function readChange(config: DeviceConfig): KernelChange {
  const { listenPort, fwmark, ...rest } = readConfig(config);
  if (rest.identity?.kind === "remote") {
    throw new TunnelConfigError(
      "EINVAL",
      "Cannot set identity: the kernel carries this tunnel and can't ask a card; start another",
    );
  }
  if (hasManualKey(config.peers)) {
    throw new TunnelConfigError(
      "EINVAL",
      "Cannot set manual key: the kernel carries this tunnel and knows none; start another",
    );
  }
  return {
    ...coreChange(rest),
    ...(listenPort === undefined ? {} : { listenPort }),
    ...(fwmark === undefined ? {} : { fwmark }),
  };
}

function prefixKey({ family, words, length }: ReturnType<typeof parsePrefix> & object): string {
  return `${family} ${Array.from(words).join(" ")} ${length}`;
}

function configError(error: NetlinkError): TunnelConfigError {
  const code = error.errno === EADDRINUSE
    ? "EADDRINUSE"
    : error.errno === EINVAL
    ? "EINVAL"
    : "EIO";
  return new TunnelConfigError(code, error.message);
}
