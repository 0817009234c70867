/**
 * A device between its TUN and its UDP sockets, in one thread: waits with poll(2), takes what is
 * there in batches, gives it to the core, and sends what comes out. All waiting is bounded by the
 * core's next deadline, and ended by the wake descriptor.
 */
import type { CloseReason, DeviceStatus, TunnelEvent } from "../api.ts";
import { publicKeyFromBytes } from "../api.ts";
import { formatEndpoint, formatPrefix } from "../address.ts";
import { EADDRINUSE } from "../../os/errno.ts";
import { bootTime } from "../../os/clock.ts";
import { libc, nativeBytes, POLLERR, POLLIN, POLLNVAL } from "../../os/libc.ts";
import { SecretMemory } from "../../os/secret_memory.ts";
import { clearWake } from "../../os/wake.ts";
import { packetMemory } from "../offload/packet_memory.ts";
import { finishChecksum, split, type TunPacket } from "../offload/split.ts";
import {
  emptyVnetHeader,
  GSO_NONE,
  NEEDS_CHECKSUM,
  readVnetHeader,
} from "../offload/vnet_header.ts";
import type { Crypto } from "../protocol/crypto.ts";
import { Device, type PeerChange } from "../protocol/device.ts";
import { Endpoint } from "../protocol/endpoint.ts";
import { KeyPool } from "../protocol/key_pool.ts";
import type { CoreEvent, Outside } from "../protocol/outside.ts";
import type { Peer } from "../protocol/peer.ts";
import { Arena, FROM_TUN, FROM_UDP, IN_END, IN_START, OUT_END, OUT_START } from "./arena.ts";
import type { WireConfig, WireIdentity, WireOptions, WirePeer } from "./messages.ts";
import { RouteWatch } from "./route_watch.ts";
import { readMtu, Tun, TunGone, writeMtu } from "./tun.ts";
import { TunWriter } from "./tun_writer.ts";
import { type SocketOptions, socketProblem, UdpSocket } from "./udp.ts";
import { UdpSender } from "./udp_sender.ts";

/** Around a packet in the arena: header in front, padding and tag behind, up to the next place. */
const HEADROOM = 16;
const TAILROOM = 48;
const LARGEST_PACKET = 65_535;
/** Reads from one source before the others get their turn. */
const BATCH = 64;
const LONGEST_WAIT = 60_000;
/** Milliseconds after a change: an address comes before its route, and both may come in steps. */
const ANNOUNCE_AFTER = [10, 250, 1_000];
const OWN_KEY_MEMORY = 16_384;
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
  readonly #pool: KeyPool;
  readonly #device: Device;
  readonly #tun: Tun;
  readonly #tunWriter: TunWriter;
  readonly #sender = new UdpSender();
  readonly #watch = RouteWatch.open();
  /** Who sent the datagram being handled, and when: one object for all of them. */
  readonly #arrival = { source: new Endpoint(), now: 0 };
  /** What was read last. */
  readonly #packet: TunPacket = { offset: FROM_TUN, length: 0, header: emptyVnetHeader() };
  readonly #splitOut = {
    place: (length: number) => this.reserve(length),
    done: (offset: number, length: number) => this.#device.packetFromTun(offset, length, this.#now),
  };
  readonly #poll = new Int32Array(10);
  readonly #pollBytes = new Uint8Array(this.#poll.buffer);
  readonly #noticed = new Set<string>();
  #listenPort = 0;
  #fwmark = 0;
  #out = OUT_START;
  #in = IN_START;
  #now = bootTime();
  #oversized = 0;
  #sendFailedBefore = 0;
  /** When to tell the peers where this machine is now, as boot times, soonest first. */
  #announcements: number[] = [];
  #stopping: CloseReason | undefined;

  constructor(options: WireOptions, parts: { wake: number; crypto: Crypto; owner: Owner }) {
    this.#options = options;
    this.#owner = parts.owner;
    this.#wake = parts.wake;
    this.#crypto = parts.crypto;
    const { keyMemory } = options;
    this.#pool = keyMemory === undefined
      ? new KeyPool(this.#moreKeys(), () => this.#moreKeys())
      : new KeyPool(nativeBytes(keyMemory.address, keyMemory.length));
    this.#device = new Device({
      crypto: this.#crypto,
      outside: this,
      arena: this.#arena.bytes,
      pool: this.#pool,
      now: this.#now,
      mtu: options.mtu,
    });
    try {
      this.#tun = Tun.open(options.ifname, { arena: this.#arena, offloads: options.offloads });
    } catch (error) {
      this.#releaseKeys();
      throw error;
    }
    this.#tunWriter = new TunWriter(this.#tun, {
      memory: this.#memory,
      notice: (message) => this.#notice(message),
    });
    try {
      writeMtu(options.ifname, options.mtu);
      this.#openSockets(options.config.listenPort ?? 0, options.config.fwmark ?? 0);
    } catch (error) {
      this.close();
      throw error;
    }
    if (options.offloads && !this.#tun.offloads) this.#notice("the TUN has no offloads here");
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
        if (this.#isReady(0, POLLIN)) {
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
    this.#closeSockets();
    this.#tun.close();
  }

  /** Throws PortError if the port can't be had; then nothing was changed. */
  configure(config: WireConfig): void {
    this.#now = bootTime();
    const fwmark = config.fwmark ?? this.#fwmark;
    if (config.listenPort !== undefined && config.listenPort !== this.#listenPort) {
      this.#openSockets(config.listenPort, fwmark);
    } else if (fwmark !== this.#fwmark) {
      this.#sender.socket4?.setFwmark(fwmark);
      this.#sender.socket6?.setFwmark(fwmark);
      this.#fwmark = fwmark;
    }
    this.#device.configure({
      ...(config.identity === undefined ? {} : { identity: coreIdentity(config.identity) }),
      replacePeers: config.replacePeers,
      peers: config.peers.map(corePeer),
    }, this.#now);
    this.#flush();
  }

  rebind(): void {
    this.#sender.generation++;
    this.#openSockets(this.#listenPort, this.#fwmark);
  }

  /** `secret` is copied to key memory; absent if the identity failed. */
  answerDh(id: number, secret: Uint8Array | undefined): void {
    this.#device.answerDh(id, { secret, now: this.#now });
    this.#flush();
  }

  status(): DeviceStatus {
    const device = this.#device;
    const { socket4, socket6 } = this.#sender;
    const sockets = [socket4, socket6].filter((socket) => socket !== undefined);
    const { identityKind } = device;
    return {
      ifname: this.#options.ifname,
      identity: identityKind,
      ...(identityKind === "none" ? {} : { publicKey: publicKeyFromBytes(device.publicKey) }),
      listenPort: this.#listenPort,
      fwmark: this.#fwmark,
      mtu: device.mtu,
      crypto: this.#crypto.name,
      offloads: {
        tun: this.#tun.offloads,
        udpSegment: sockets.some((socket) => socket.segments),
        udpGro: sockets.some((socket) => socket.gro),
      },
      underLoad: device.underLoad,
      cookiesSent: device.cookiesSent,
      drops: {
        ...device.drops,
        oversized: this.#oversized,
        sendFailed: this.#sendFailed(),
        tunWriteFailed: this.#tunWriter.failed,
      },
      peers: [...device.peers.values()].map((peer) => this.#peerStatus(peer)),
    };
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
    const needed = (HEADROOM + length + TAILROOM) & ~15;
    if (this.#out + needed > OUT_END || this.#sender.full) this.#flushOut();
    const offset = this.#out + HEADROOM;
    this.#out += needed;
    return offset;
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
    const { socket4, socket6 } = this.#sender;
    poll[0] = this.#wake;
    poll[2] = this.#tun.descriptor;
    poll[4] = socket4?.descriptor ?? -1;
    poll[6] = socket6?.descriptor ?? -1;
    poll[8] = this.#watch?.descriptor ?? -1;
    for (let index = 1; index < 10; index += 2) poll[index] = POLLIN;
    const due = Math.min(this.#device.nextDeadline(), this.#announcements[0] ?? Infinity);
    const wait = Math.min(LONGEST_WAIT, due - bootTime());
    libc.poll(this.#pollBytes, 5, Math.max(0, Math.ceil(wait)));
  }

  #isReady(index: number, events: number): boolean {
    return (((this.#poll[index * 2 + 1] ?? 0) >>> 16) & events) !== 0;
  }

  #carry(): void {
    if (this.#isReady(4, POLLIN | POLLERR)) this.#routesChanged();
    const { socket4, socket6 } = this.#sender;
    if (socket4 !== undefined && this.#isReady(2, POLLIN | POLLERR)) this.#receiveFrom(socket4);
    if (socket6 !== undefined && this.#isReady(3, POLLIN | POLLERR)) this.#receiveFrom(socket6);
    if (this.#isReady(1, POLLIN | POLLERR | POLLNVAL)) this.#readTun();
    if (this.#device.nextDeadline() <= this.#now) this.#device.tick(this.#now);
    if ((this.#announcements[0] ?? Infinity) <= this.#now) {
      this.#announcements.shift();
      this.#device.announce(this.#now);
    }
    this.#flush();
  }

  #readTun(): void {
    const tun = this.#tun;
    for (let count = 0; count < BATCH; count++) {
      const length = tun.read();
      if (length === 0) return;
      if (tun.offloads) this.#takeLarge(length);
      else this.#takeFromTun(length);
    }
  }

  #takeFromTun(length: number): void {
    const offset = this.reserve(length);
    this.#memory.copy(offset, FROM_TUN, length);
    this.#device.packetFromTun(offset, length, this.#now);
  }

  /** A packet with a virtio_net_hdr: finish its checksum, or cut it. */
  #takeLarge(length: number): void {
    const packet = this.#packet;
    const { header } = packet;
    packet.length = length;
    readVnetHeader(this.#tun.readHeader, header);
    if (header.gsoType !== GSO_NONE) {
      if (!split(this.#memory, packet, this.#splitOut)) this.#device.drops.malformed++;
    } else if ((header.flags & NEEDS_CHECKSUM) !== 0) {
      const offset = this.reserve(length);
      if (finishChecksum(this.#memory, packet, offset)) {
        this.#device.packetFromTun(offset, length, this.#now);
      } else {
        this.#device.drops.malformed++;
      }
    } else {
      this.#takeFromTun(length);
    }
  }

  #receiveFrom(socket: UdpSocket): void {
    const { source } = this.#arrival;
    this.#arrival.now = this.#now;
    for (let count = 0; count < BATCH; count++) {
      const length = socket.receive(source, this.#sender.generation);
      if (length === 0) return;
      if (length < 0) {
        if (socket.truncated) this.#oversized++;
        else this.#device.drops.malformed++;
        continue;
      }
      const size = Math.max(1, socket.segmentSize);
      for (let start = 0; start < length; start += size) {
        this.#takeDatagram(FROM_UDP + start, Math.min(size, length - start));
      }
    }
  }

  /** Moves a datagram to an aligned place, where it is opened and stays until it is written. */
  #takeDatagram(from: number, length: number): void {
    const needed = (length + 15) & ~15;
    if (this.#in + needed > IN_END || this.#tunWriter.full) this.#flushIn();
    const offset = this.#in;
    this.#in += needed;
    this.#memory.copy(offset, from, length);
    this.#device.datagram(offset, length, this.#arrival);
  }

  #flush(): void {
    this.#flushIn();
    this.#flushOut();
  }

  #flushIn(): void {
    this.#tunWriter.flush();
    this.#in = IN_START;
  }

  #flushOut(): void {
    this.#sender.flush();
    this.#out = OUT_START;
  }

  #routesChanged(): void {
    this.#watch?.drain();
    this.#sender.generation++;
    if (this.#options.announce) this.#announcements = ANNOUNCE_AFTER.map((ms) => this.#now + ms);
    const mtu = readMtu(this.#tun.name);
    if (mtu !== undefined && mtu > 0) this.#device.setMtu(Math.min(mtu, LARGEST_PACKET));
  }

  /** Opens new sockets before the old ones go, unless they need the same port. */
  #openSockets(port: number, fwmark: number): void {
    if (port !== 0 && port === this.#listenPort) this.#closeSockets();
    const options = {
      fwmark,
      bindInterface: this.#options.bindInterface,
      offloads: this.#options.offloads,
    };
    for (let attempt = 1;; attempt++) {
      const opened = this.#openPair({ ...options, port });
      if (typeof opened !== "number") {
        this.#closeSockets();
        this.#sender.socket4 = opened.socket4;
        this.#sender.socket6 = opened.socket6;
        this.#listenPort = opened.port;
        this.#fwmark = fwmark;
        return;
      }
      if (port !== 0 || opened !== EADDRINUSE || attempt === PORT_ATTEMPTS) {
        throw new PortError(opened, port);
      }
    }
  }

  #openPair(
    options: SocketOptions,
  ): { socket4?: UdpSocket; socket6?: UdpSocket; port: number } | number {
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

  #closeSockets(): void {
    this.#sendFailedBefore = this.#sendFailed();
    this.#sender.socket4?.close();
    this.#sender.socket6?.close();
    this.#sender.socket4 = undefined;
    this.#sender.socket6 = undefined;
  }

  #sendFailed(): number {
    const { socket4, socket6, unreachable } = this.#sender;
    return this.#sendFailedBefore + (socket4?.failed ?? 0) + (socket6?.failed ?? 0) + unreachable;
  }

  #releaseKeys(): void {
    this.#device.close();
    for (const memory of this.#ownKeys) memory.free();
    this.#watch?.close();
    this.#crypto.close();
  }

  #peerStatus(peer: Peer): DeviceStatus["peers"][number] {
    const { current } = peer;
    return {
      publicKey: publicKeyFromBytes(peer.publicKey),
      hasPresharedKey: peer.hasPresharedKey,
      ...(peer.endpoint === undefined ? {} : { endpoint: formatEndpoint(peer.endpoint) }),
      persistentKeepalive: peer.persistentKeepalive,
      allowedIps: this.#device.allowedIpsOf(peer).map(formatPrefix),
      lastHandshake: peer.lastHandshake,
      rxBytes: peer.rxBytes,
      txBytes: peer.txBytes,
      sessionAlive: current !== undefined && current.usable(this.#now),
    };
  }

  #moreKeys(): Uint8Array<ArrayBuffer> {
    const memory = SecretMemory.allocate(OWN_KEY_MEMORY);
    this.#ownKeys.push(memory);
    return memory.bytes;
  }

  #notice(message: string): void {
    if (this.#noticed.has(message)) return;
    this.#noticed.add(message);
    this.#owner.event({ kind: "notice", message });
  }
}

function coreIdentity(identity: WireIdentity) {
  if (identity.kind !== "local") return identity;
  const { address, length } = identity.privateKey;
  return { kind: "local" as const, privateKey: nativeBytes(address, length) };
}

function corePeer(peer: WirePeer): PeerChange {
  const { presharedKey, endpoint, ...rest } = peer;
  return {
    ...rest,
    ...(presharedKey === undefined ? {} : {
      presharedKey: presharedKey === "none"
        ? presharedKey
        : nativeBytes(presharedKey.address, presharedKey.length),
    }),
    ...(endpoint === undefined ? {} : { endpoint: endpointFromWords(endpoint) }),
  };
}

function endpointFromWords(words: Uint32Array): Endpoint {
  const endpoint = new Endpoint();
  endpoint.words.set(words);
  return endpoint;
}
