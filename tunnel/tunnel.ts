/** Starts tunnels: a WireGuard device of our own in a worker thread of this process. */
import {
  type CloseReason,
  type DeviceConfig,
  type DeviceStatus,
  type PreparedTunnel,
  type RemoteIdentity,
  type Tunnel,
  TunnelConfigError,
  type TunnelEvent,
  type TunnelOptions,
} from "./api.ts";
import { hasManualKey, readConfig } from "./config.ts";
import { type DhAnswer, releaseDhAnswer, takeDhAnswer } from "./dh_answers.ts";
import type { FromWorker, Request, ToWorker } from "./dataplane/messages.ts";
import { closeWake, openWake, wake } from "../os/wake.ts";

const DEFAULT_MTU = 1420;
const LEAST_MTU = 68;
const MOST_MTU = 65_535;

/** Starts the worker of a tunnel that will be wanted soon, and loads its code. */
export function prepareTunnel(): PreparedTunnel {
  void kernelTunnels();
  return new WorkerLink({ warmUp: true });
}

/**
 * Creates the interface and carries packets until `close`, or until the interface is deleted. The
 * interface has no address and is down: that is the caller's.
 *
 * @throws {TunnelConfigError} for a configuration that can't be taken
 * @throws {Error} if the interface can't be created
 */
export async function startTunnel(options: TunnelOptions): Promise<Tunnel> {
  const { identity, listenPort, fwmark, peers, bindInterface, keyMemory } = options;
  const mtu = options.mtu ?? DEFAULT_MTU;
  if (!Number.isInteger(mtu) || mtu < LEAST_MTU || mtu > MOST_MTU) {
    throw new TunnelConfigError("EINVAL", `Cannot set MTU: ${mtu} is not 68 to 65535`);
  }
  if (identity?.kind === "remote") refuseManualKeys(peers);
  const kernel = await inKernel({ ...options, mtu });
  if (kernel !== undefined) {
    options.prepared?.discard();
    return kernel;
  }
  const config: DeviceConfig = {
    ...(identity === undefined ? {} : { identity }),
    ...(listenPort === undefined ? {} : { listenPort }),
    ...(fwmark === undefined ? {} : { fwmark }),
    ...(peers === undefined ? {} : { peers }),
  };
  const wireConfig = readConfig(config);
  const link = options.prepared instanceof WorkerLink
    ? options.prepared
    : new WorkerLink({ warmUp: false });
  link.onEvent = options.onEvent ?? (() => {});
  if (identity?.kind === "remote") link.remote = identity;
  try {
    await link.request({
      type: "start",
      options: {
        ifname: options.ifname,
        mtu,
        ...(bindInterface === undefined ? {} : { bindInterface }),
        ...(keyMemory === undefined ? {} : { keyMemory }),
        offloads: options.offloads ?? true,
        announce: options.announce ?? false,
        config: wireConfig,
      },
    });
  } catch (error) {
    link.discard();
    throw error;
  }
  return new RunningTunnel(options.ifname, link);
}

/** Who keeps a key on a card wants it to be needed for every session. */
function refuseManualKeys(peers: DeviceConfig["peers"]): void {
  if (!hasManualKey(peers)) return;
  throw new TunnelConfigError(
    "EINVAL",
    "Cannot set manual key: the identity is on a card, which would not be asked; use agreed keys",
  );
}

/** Undefined if it isn't wanted, or the kernel can't: the owner hears why. */
async function inKernel(
  options: TunnelOptions & { readonly mtu: number },
): Promise<Tunnel | undefined> {
  const { kernel = "never", identity, bindInterface, offloads = true, onEvent } = options;
  const possible = identity?.kind === "local" && bindInterface === undefined && offloads;
  if (kernel === "never" || !possible) return undefined;
  if (hasManualKey(options.peers)) {
    onEvent?.({
      kind: "notice",
      message: "the kernel knows no manual keys; packets are carried in user space",
    });
    return undefined;
  }
  const { startKernelTunnel } = await kernelTunnels();
  const started = await startKernelTunnel(options);
  if (!("refused" in started)) return started;
  onEvent?.({ kind: "notice", message: `${started.refused}; packets are carried in user space` });
  return undefined;
}

/** Loaded only where the kernel is asked for. */
function kernelTunnels() {
  return import("./kernel/kernel_tunnel.ts");
}

class RunningTunnel implements Tunnel {
  readonly ifname: string;
  readonly carrier = "userspace";
  readonly closed: Promise<CloseReason>;
  readonly #link: WorkerLink;

  constructor(ifname: string, link: WorkerLink) {
    this.ifname = ifname;
    this.#link = link;
    this.closed = link.closed;
  }

  async set(config: DeviceConfig): Promise<void> {
    const wireConfig = readConfig(config);
    const { identity } = config;
    const remote = identity === undefined ? this.#link.remote : identity;
    if (remote !== undefined && remote !== "none" && remote.kind === "remote") {
      refuseManualKeys(config.peers);
    }
    if (identity !== undefined) {
      this.#link.remote = identity !== "none" && identity.kind === "remote" ? identity : undefined;
    }
    await this.#link.request({ type: "set", config: wireConfig });
  }

  async get(): Promise<DeviceStatus> {
    const status = await this.#link.request({ type: "get" });
    if (status === undefined) throw new Error("Cannot read tunnel: its worker answered nothing");
    return status;
  }

  async rekey(): Promise<void> {
    await this.#link.request({ type: "rekey" });
  }

  async rebind(): Promise<void> {
    await this.#link.request({ type: "rebind" });
  }

  eraseNow(): void {
    // All keys are in memory that the owner gave or that ends with the process.
  }

  async close(): Promise<void> {
    // Refused if it has ended by itself, which is what is wanted.
    await this.#link.request({ type: "stop" }).catch(() => {});
    await this.closed;
  }
}

interface Waiting {
  resolve(status: DeviceStatus | undefined): void;
  reject(error: Error): void;
}

/** The worker, seen from its owner. */
class WorkerLink implements PreparedTunnel {
  onEvent: (event: TunnelEvent) => void = () => {};
  remote: RemoteIdentity | undefined;
  readonly closed: Promise<CloseReason>;
  readonly #worker: Worker;
  readonly #wake = openWake();
  readonly #sent = new Int32Array(new SharedArrayBuffer(4));
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 1;
  #dhRunning = 0;
  /** Results that the worker hasn't taken yet. */
  readonly #answers = new Map<number, DhAnswer>();
  #ended = false;
  readonly #resolveClosed: (reason: CloseReason) => void;

  constructor(parts: { warmUp: boolean }) {
    const { promise, resolve } = Promise.withResolvers<CloseReason>();
    this.closed = promise;
    this.#resolveClosed = resolve;
    this.#worker = new Worker(import.meta.resolve("./dataplane/worker.ts"), {
      type: "module",
      name: "tunnel",
    });
    this.#worker.onmessage = ({ data }: MessageEvent<FromWorker>) => this.#hear(data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#end({ kind: "failed", message: `Cannot carry packets: ${event.message}` });
    };
    const sent = this.#sent.buffer as SharedArrayBuffer;
    const { warmUp } = parts;
    const hello: ToWorker = { type: "hello", wake: this.#wake, sent, warmUp };
    this.#worker.postMessage(hello);
  }

  request(request: Request): Promise<DeviceStatus | undefined> {
    if (this.#ended) {
      return Promise.reject(new Error("Cannot reach tunnel: it has ended; start another"));
    }
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#post({ type: "request", id, request });
    });
  }

  discard(): void {
    this.#end({ kind: "closed" });
  }

  #post(message: ToWorker): void {
    Atomics.add(this.#sent, 0, 1);
    this.#worker.postMessage(message);
    wake(this.#wake);
  }

  #hear(message: FromWorker): void {
    switch (message.type) {
      case "event":
        this.onEvent(message.event);
        return;
      case "dh":
        void this.#askIdentity(message.id, message.peerPublicKey);
        return;
      case "dh-taken":
        this.#releaseAnswer(message.id);
        return;
      case "closed":
        this.#end(message.reason);
        return;
      case "done":
        this.#take(message.id)?.resolve(message.status);
        return;
      case "refused":
        this.#take(message.id)?.reject(new TunnelConfigError(message.code, message.message));
    }
  }

  #take(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    return waiting;
  }

  async #askIdentity(id: number, peerPublicKey: Uint8Array): Promise<void> {
    const answer = await this.#dh(peerPublicKey);
    if (this.#ended) {
      if (answer !== undefined) releaseDhAnswer(answer);
      return;
    }
    if (answer === undefined) {
      this.#post({ type: "dh", id });
    } else {
      this.#answers.set(id, answer);
      this.#post({ type: "dh", id, answer: answer.address });
    }
  }

  /** Undefined if it failed: the core counts and reports it. */
  async #dh(peerPublicKey: Uint8Array): Promise<DhAnswer | undefined> {
    const { remote } = this;
    // The core gives up waiting after a while; the identity may still be at it.
    if (remote === undefined || this.#dhRunning >= (remote.concurrency ?? 1)) return undefined;
    const answer = takeDhAnswer();
    if (answer === undefined) return undefined;
    this.#dhRunning++;
    try {
      await remote.dh(peerPublicKey, answer.bytes);
      return answer;
    } catch {
      releaseDhAnswer(answer);
      return undefined;
    } finally {
      this.#dhRunning--;
    }
  }

  #releaseAnswer(id: number): void {
    const answer = this.#answers.get(id);
    if (answer !== undefined) releaseDhAnswer(answer);
    this.#answers.delete(id);
  }

  #end(reason: CloseReason): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#worker.terminate();
    closeWake(this.#wake);
    for (const id of [...this.#answers.keys()]) this.#releaseAnswer(id);
    const why = reason.kind === "failed" ? reason.message : "Cannot reach tunnel: it has ended";
    for (const { reject } of this.#waiting.values()) reject(new Error(why));
    this.#waiting.clear();
    this.#resolveClosed(reason);
  }
}
