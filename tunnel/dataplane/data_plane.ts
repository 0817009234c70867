/**
 * A device between its TUN and its UDP sockets, in one thread: waits with poll(2), takes what is
 * there in batches, gives it to the core, and sends what comes out. All waiting is bounded by the
 * core's next deadline, and ended by the wake descriptor.
 */
import type { CloseReason, DeviceStatus, TunnelEvent } from "../api.ts";
import { publicKeyFromBytes } from "../api.ts";
import { formatEndpoint } from "../address.ts";
import { bootTime } from "../../os/clock.ts";
import { nativeBytes } from "../../os/libc.ts";
import { SecretMemory } from "../../os/secret_memory.ts";
import { clearWake } from "../../os/wake.ts";
import { packetMemory } from "../offload/packet_memory.ts";
import type { Crypto } from "../protocol/crypto.ts";
import { Device } from "../protocol/device.ts";
import type { Endpoint } from "../protocol/endpoint.ts";
import { KeyPool } from "../protocol/key_pool.ts";
import type { CoreEvent, Outside } from "../protocol/outside.ts";
import { Arena, IN_END } from "./arena.ts";
import { coreChange } from "./core_config.ts";
import type { WireConfig, WireOptions } from "./messages.ts";
import { PollSet } from "./poll_set.ts";
import { RouteWatch } from "./route_watch.ts";
import { Sockets } from "./sockets.ts";
import { deviceStatus } from "./status.ts";
import { Tun, TunGone, writeMtu } from "./tun.ts";
import { TunPlace } from "./tun_place.ts";
import { TunReader } from "./tun_reader.ts";
import { TunWriter } from "./tun_writer.ts";
import type { UdpSocket } from "./udp.ts";
import { type Arrival, UdpReceiver } from "./udp_receiver.ts";
import { UdpSender } from "./udp_sender.ts";

const LARGEST_PACKET = 65_535;
const LONGEST_WAIT = 60_000;
/** Milliseconds after a change: an address comes before its route, and both may come in steps. */
const ANNOUNCE_AFTER = [10, 250, 1_000];
const OWN_KEY_MEMORY = 16_384;
/** Where the descriptors stand in the set that is waited for. */
const WAKE = 0;
const TUN = 1;
const SOCKET4 = 2;
const SOCKET6 = 3;
const ROUTES = 4;

/** What the data plane says to its owner. */
export interface Owner {
  event(event: TunnelEvent): void;
  /** A Diffie-Hellman with the remote key is asked for; `answerDh` answers it. */
  requestDh(id: number, peerPublicKey: Uint8Array): void;
}

export class DataPlane implements Outside {
  readonly #owner: Owner;
  readonly #options: WireOptions;
  readonly #wake: number;
  readonly #crypto: Crypto;
  readonly #memory = packetMemory(IN_END);
  readonly #arena = new Arena(this.#memory.bytes);
  readonly #ownKeys: SecretMemory[] = [];
  readonly #device: Device;
  readonly #tun: Tun;
  readonly #place: TunPlace;
  readonly #tunReader: TunReader;
  readonly #tunWriter: TunWriter;
  readonly #sockets: Sockets;
  readonly #sender: UdpSender;
  readonly #receiver: UdpReceiver;
  readonly #watch = RouteWatch.open();
  readonly #poll = new PollSet(5);
  readonly #noticed = new Set<string>();
  readonly #notice = (message: string) => {
    if (this.#noticed.has(message)) return;
    this.#noticed.add(message);
    this.#owner.event({ kind: "notice", message });
  };
  #now = bootTime();
  #oversized = 0;
  /** When to tell the peers where this machine is now, as boot times, soonest first. */
  #announcements: number[] = [];
  #stopping: CloseReason | undefined;

  constructor(options: WireOptions, parts: { wake: number; crypto: Crypto; owner: Owner }) {
    this.#options = options;
    this.#owner = parts.owner;
    this.#wake = parts.wake;
    this.#crypto = parts.crypto;
    const { keyMemory, bindInterface, offloads, ifname, mtu } = options;
    this.#sockets = new Sockets(this.#arena, { bindInterface, offloads, notice: this.#notice });
    this.#sender = new UdpSender(this.#sockets, this.#notice);
    this.#device = new Device({
      crypto: this.#crypto,
      outside: this,
      arena: this.#arena.bytes,
      pool: keyMemory === undefined
        ? new KeyPool(this.#moreKeys(), () => this.#moreKeys())
        : new KeyPool(nativeBytes(keyMemory.address, keyMemory.length)),
      now: this.#now,
      mtu,
    });
    try {
      this.#tun = Tun.open(ifname, { arena: this.#arena, offloads });
    } catch (error) {
      this.#releaseKeys();
      throw error;
    }
    this.#place = new TunPlace(this.#tun, this.#watch);
    const memory = this.#memory;
    this.#tunReader = new TunReader(this.#tun, { memory, target: this.#tunTarget() });
    this.#tunWriter = new TunWriter(this.#tun, { memory, notice: this.#notice });
    this.#receiver = new UdpReceiver(memory, this.#udpTarget());
    try {
      writeMtu(ifname, mtu);
      this.#sockets.open(options.config.listenPort ?? 0, options.config.fwmark ?? 0);
    } catch (error) {
      this.close();
      throw error;
    }
    if (offloads && !this.#tun.offloads) this.#notice("the TUN has no offloads here");
    this.configure(options.config);
    if (options.announce) this.#announcements = [this.#now];
  }

  /**
   * Carries packets until told to stop. `onWake` is awaited when the owner has said something.
   */
  async run(onWake: () => Promise<void>): Promise<CloseReason> {
    try {
      while (this.#stopping === undefined) {
        this.#wait();
        this.#now = bootTime();
        if (this.#poll.isReady(WAKE)) {
          clearWake(this.#wake);
          await onWake();
        }
        if (this.#stopping === undefined) this.#carry();
      }
      return this.#stopping;
    } catch (error) {
      if (error instanceof TunGone) return { kind: "interface-deleted" };
      throw error;
    }
  }

  stop(): void {
    this.#stopping = { kind: "closed" };
  }

  /** Wipes all keys and closes everything. */
  close(): void {
    // Keys first: taking the interface down takes the kernel some ten milliseconds.
    this.#releaseKeys();
    this.#sockets.close();
    this.#tun.close();
  }

  /** Throws PortError if the port can't be had; then nothing was changed. */
  configure(config: WireConfig): void {
    this.#now = bootTime();
    const sockets = this.#sockets;
    const { listenPort = sockets.port, fwmark = sockets.fwmark } = config;
    if (listenPort === sockets.port) sockets.setFwmark(fwmark);
    else sockets.open(listenPort, fwmark);
    this.#device.configure(coreChange(config), this.#now);
    this.#flush();
  }

  rekey(): void {
    this.#now = bootTime();
    this.#device.rekey(this.#now);
    this.#flush();
  }

  rebind(): void {
    this.#sender.generation++;
    this.#sockets.open(this.#sockets.port, this.#sockets.fwmark);
  }

  /** `secret` is copied to key memory; absent if the identity failed. */
  answerDh(id: number, secret: Uint8Array | undefined): void {
    this.#device.answerDh(id, { secret, now: this.#now });
    this.#flush();
  }

  status(): DeviceStatus {
    const sockets = this.#sockets;
    return deviceStatus(this.#device, {
      ifname: this.#options.ifname,
      listenPort: sockets.port,
      fwmark: sockets.fwmark,
      crypto: this.#crypto.name,
      offloads: {
        tun: this.#tun.offloads,
        udpSegment: sockets.segments,
        udpGro: sockets.gro,
      },
      drops: {
        oversized: this.#oversized,
        sendFailed: sockets.failed + this.#sender.unreachable,
        tunWriteFailed: this.#tunWriter.failed,
      },
      now: this.#now,
    });
  }

  // What the core asks for.

  sendMessage(endpoint: Endpoint, message: Uint8Array): void {
    const offset = this.reserve(message.length);
    this.#arena.bytes.set(message, offset);
    this.#sender.add(endpoint.clone(), offset, message.length);
  }

  sendData(endpoint: Endpoint, offset: number, length: number): void {
    this.#sender.add(endpoint, offset, length);
  }

  deliver(offset: number, length: number): void {
    this.#tunWriter.add(offset, length);
  }

  reserve(length: number): number {
    return this.#sender.reserve(length);
  }

  requestDh(id: number, peerPublicKey: Uint8Array): void {
    this.#owner.requestDh(id, peerPublicKey.slice());
  }

  event(event: CoreEvent): void {
    const peer = publicKeyFromBytes(event.peer.publicKey);
    switch (event.kind) {
      case "handshake-completed":
        this.#owner.event({
          kind: event.kind,
          peer,
          role: event.initiator ? "initiator" : "responder",
        });
        return;
      case "handshake-failed":
        this.#owner.event({ kind: event.kind, peer, reason: event.reason });
        return;
      case "endpoint-changed": {
        const { endpoint } = event.peer;
        if (endpoint === undefined) return;
        this.#owner.event({ kind: event.kind, peer, endpoint: formatEndpoint(endpoint) });
        return;
      }
      case "announcement-taken":
        this.#owner.event({ kind: event.kind, peer, timestamp: event.timestamp.toHex() });
        return;
      case "first-data-received":
      case "keys-expired":
        this.#owner.event({ kind: event.kind, peer });
    }
  }

  random(out: Uint8Array): void {
    crypto.getRandomValues(out as Uint8Array<ArrayBuffer>);
  }

  wallClock(): number {
    return Date.now();
  }

  // The loop's parts.

  #wait(): void {
    const poll = this.#poll;
    poll.set(WAKE, this.#wake);
    poll.set(TUN, this.#tun.descriptor);
    poll.set(SOCKET4, this.#sockets.socket4?.descriptor ?? -1);
    poll.set(SOCKET6, this.#sockets.socket6?.descriptor ?? -1);
    poll.set(ROUTES, this.#watch?.descriptor ?? -1);
    const due = Math.min(this.#device.nextDeadline(), this.#announcements[0] ?? Infinity);
    poll.wait(Math.min(LONGEST_WAIT, due - bootTime()));
  }

  #carry(): void {
    const poll = this.#poll;
    if (poll.isReady(ROUTES)) this.#routesChanged();
    const { socket4, socket6 } = this.#sockets;
    if (socket4 !== undefined && poll.isReady(SOCKET4)) this.#receiveFrom(socket4);
    if (socket6 !== undefined && poll.isReady(SOCKET6)) this.#receiveFrom(socket6);
    if (poll.isReady(TUN)) this.#tunReader.readSome();
    if (this.#device.nextDeadline() <= this.#now) this.#device.tick(this.#now);
    if ((this.#announcements[0] ?? Infinity) <= this.#now) {
      this.#announcements.shift();
      this.#device.announce(this.#now);
    }
    this.#flush();
  }

  #receiveFrom(socket: UdpSocket): void {
    this.#receiver.receiveSome(socket, { now: this.#now, generation: this.#sender.generation });
  }

  #tunTarget() {
    return {
      reserve: (length: number) => this.#sender.reserve(length),
      packet: (offset: number, length: number) =>
        this.#device.packetFromTun(offset, length, this.#now),
      malformed: () => {
        this.#device.drops.malformed++;
      },
    };
  }

  #udpTarget() {
    return {
      isFull: () => this.#tunWriter.full,
      makeRoom: () => this.#flushIn(),
      datagram: (offset: number, length: number, arrival: Arrival) =>
        this.#device.datagram(offset, length, arrival),
      unusable: (reason: "oversized" | "malformed") => {
        if (reason === "oversized") this.#oversized++;
        else this.#device.drops.malformed++;
      },
    };
  }

  #flush(): void {
    this.#flushIn();
    this.#sender.flush();
  }

  #flushIn(): void {
    this.#tunWriter.flush();
    this.#receiver.roomMade();
  }

  #routesChanged(): void {
    this.#watch?.drain();
    this.#sender.generation++;
    if (this.#options.announce) this.#announcements = ANNOUNCE_AFTER.map((ms) => this.#now + ms);
    const mtu = this.#place.mtu();
    if (mtu !== undefined && mtu > 0) this.#device.setMtu(Math.min(mtu, LARGEST_PACKET));
  }

  #releaseKeys(): void {
    this.#device.close();
    for (const memory of this.#ownKeys) memory.free();
    this.#watch?.close();
    this.#crypto.close();
  }

  #moreKeys(): Uint8Array<ArrayBuffer> {
    const memory = SecretMemory.allocate(OWN_KEY_MEMORY);
    this.#ownKeys.push(memory);
    return memory.bytes;
  }
}
