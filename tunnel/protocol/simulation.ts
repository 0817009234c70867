/**
 * Devices on a wire in memory, with a clock that the test moves: what the tests of the core share.
 * Randomness is seeded, so a failure comes again.
 */
import type { Crypto } from "./crypto.ts";
import { Device, type DeviceChange, type PeerChange } from "./device.ts";
import { type Endpoint, endpointOf } from "./endpoint.ts";
import { KeyPool } from "./key_pool.ts";
import type { CoreEvent, Outside } from "./outside.ts";

const ARENA = 1 << 20;
const PACKET_PLACE = 65536 + 16;

export interface Datagram {
  readonly from: Endpoint;
  readonly to: Endpoint;
  readonly bytes: Uint8Array;
}

/** What the wire does with a datagram: the delays (ms) of its copies; none means lost. */
export type Wire = (datagram: Datagram) => readonly number[];

export class Simulation {
  now = 1000;
  wallClock = 1_700_000_000_000;
  wire: Wire = () => [1];
  /** Every datagram that was sent, in order. */
  readonly sent: Datagram[] = [];
  readonly #crypto: Crypto;
  readonly #nodes: Node[] = [];
  #flying: { at: number; order: number; datagram: Datagram }[] = [];
  #order = 0;
  #seed: number;

  constructor(crypto: Crypto, seed = 1) {
    this.#crypto = crypto;
    this.#seed = seed;
  }

  node(
    address: string,
    options: { loadLimit?: number; slots?: number; remote?: boolean } = {},
  ): Node {
    const node = new Node(this, { crypto: this.#crypto, address, ...options });
    this.#nodes.push(node);
    return node;
  }

  random(out: Uint8Array): void {
    for (let index = 0; index < out.length; index++) out[index] = this.randomBelow(256);
  }

  /** xorshift32. */
  randomBelow(limit: number): number {
    let x = this.#seed | 0 || 1;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#seed = x;
    return (x >>> 0) % limit;
  }

  transmit(datagram: Datagram): void {
    this.sent.push(datagram);
    for (const delay of this.wire(datagram)) {
      this.#flying.push({ at: this.now + delay, order: this.#order++, datagram });
    }
  }

  /** Lets `milliseconds` pass, handing over datagrams and firing timers at their times. */
  run(milliseconds: number): void {
    const end = this.now + milliseconds;
    for (;;) {
      const flight = this.#flying.toSorted((a, b) => a.at - b.at || a.order - b.order)[0];
      const timer = Math.min(...this.#nodes.map((node) => node.device.nextDeadline()));
      const at = Math.max(this.now, Math.min(flight?.at ?? Infinity, timer));
      if (at > end) break;
      this.#moveTo(at);
      if (flight !== undefined && flight.at <= at) {
        this.#flying = this.#flying.filter((other) => other !== flight);
        const { datagram } = flight;
        this.#nodes.find((node) => node.endpoint.reaches(datagram.to))?.receive(
          datagram.bytes,
          datagram.from,
        );
      } else {
        for (const node of this.#nodes) node.device.tick(at);
      }
    }
    this.#moveTo(end);
  }

  #moveTo(at: number): void {
    this.wallClock += at - this.now;
    this.now = at;
  }
}

export class Node implements Outside {
  device: Device;
  pool: KeyPool;
  readonly memory: Uint8Array<ArrayBuffer>;
  readonly #loadLimit: number | undefined;
  readonly privateKey = new Uint8Array(32);
  readonly publicKey = new Uint8Array(32);
  endpoint: Endpoint;
  /** IP packets that came out. */
  readonly received: Uint8Array[] = [];
  readonly events: CoreEvent[] = [];
  readonly dhRequests: { id: number; peerPublicKey: Uint8Array }[] = [];
  readonly #arena = new Uint8Array(ARENA);
  readonly #simulation: Simulation;
  readonly #crypto: Crypto;
  #reserved = PACKET_PLACE;

  constructor(
    simulation: Simulation,
    parts: {
      crypto: Crypto;
      address: string;
      loadLimit?: number;
      slots?: number;
      remote?: boolean;
    },
  ) {
    this.#simulation = simulation;
    this.#crypto = parts.crypto;
    this.endpoint = endpointFromText(parts.address);
    simulation.random(this.privateKey);
    this.#crypto.publicKey(this.publicKey, this.privateKey);
    this.memory = new Uint8Array(64 * (parts.slots ?? 256));
    this.pool = new KeyPool(this.memory);
    this.#loadLimit = parts.loadLimit;
    this.device = this.#newDevice();
    this.configure({
      identity: parts.remote === true
        ? { kind: "remote", publicKey: this.publicKey, concurrency: 1 }
        : { kind: "local", privateKey: this.privateKey },
    });
  }

  /** Crashes and starts again with a local key: whatever it remembered is gone, and so are its peers. */
  restart(): void {
    this.memory.fill(0);
    this.pool = new KeyPool(this.memory);
    this.device = this.#newDevice();
    this.configure({ identity: { kind: "local", privateKey: this.privateKey } });
  }

  configure(change: DeviceChange): void {
    this.device.configure(change, this.#simulation.now);
  }

  /** Makes `other` a peer that owns `allowed` (words and length of IPv4 prefixes). */
  knows(other: Node, allowed: readonly [number, number], more: Partial<PeerChange> = {}): void {
    this.configure({
      peers: [{
        publicKey: other.publicKey,
        endpoint: other.endpoint,
        allowedIps: [{ family: 4, words: [allowed[0]], length: allowed[1] }],
        ...more,
      }],
    });
  }

  /** Sends an IP packet as if it came out of the TUN. */
  send(packet: Uint8Array): void {
    const offset = this.reserve(packet.length);
    this.#arena.set(packet, offset);
    this.device.packetFromTun(offset, packet.length, this.#simulation.now);
  }

  receive(bytes: Uint8Array, from: Endpoint): void {
    this.#arena.set(bytes, 0);
    this.device.datagram(0, bytes.length, { source: from, now: this.#simulation.now });
  }

  /** Answers the oldest Diffie-Hellman request as the card would, or says that it failed. */
  answerDh(fails = false): void {
    const request = this.dhRequests.shift();
    if (request === undefined) throw new Error("Cannot answer: nothing was asked");
    const secret = new Uint8Array(32);
    this.#crypto.dh(secret, this.privateKey, request.peerPublicKey);
    this.device.answerDh(request.id, {
      secret: fails ? undefined : secret,
      now: this.#simulation.now,
    });
  }

  publicKeyOf(privateKey: Uint8Array): Uint8Array {
    const publicKey = new Uint8Array(32);
    this.#crypto.publicKey(publicKey, privateKey);
    return publicKey;
  }

  count(kind: CoreEvent["kind"]): number {
    return this.events.filter((event) => event.kind === kind).length;
  }

  sendMessage(endpoint: Endpoint, message: Uint8Array): void {
    this.#simulation.transmit({
      from: this.endpoint.clone(),
      to: endpoint.clone(),
      bytes: message.slice(),
    });
  }

  sendData(endpoint: Endpoint, offset: number, length: number): void {
    this.sendMessage(endpoint, this.#arena.subarray(offset, offset + length));
  }

  deliver(offset: number, length: number): void {
    this.received.push(this.#arena.slice(offset, offset + length));
  }

  reserve(length: number): number {
    const needed = (length + 64 + 15) & ~15;
    if (this.#reserved + needed > ARENA) this.#reserved = PACKET_PLACE;
    const offset = this.#reserved + 16;
    this.#reserved += needed;
    return offset;
  }

  requestDh(id: number, peerPublicKey: Uint8Array): void {
    this.dhRequests.push({ id, peerPublicKey: peerPublicKey.slice() });
  }

  event(event: CoreEvent): void {
    this.events.push(event);
  }

  random(out: Uint8Array): void {
    this.#simulation.random(out);
  }

  wallClock(): number {
    return this.#simulation.wallClock;
  }

  #newDevice(): Device {
    return new Device({
      crypto: this.#crypto,
      outside: this,
      arena: this.#arena,
      pool: this.pool,
      now: this.#simulation.now,
      mtu: 1420,
      ...(this.#loadLimit === undefined ? {} : { loadLimit: this.#loadLimit }),
    });
  }
}

/** `192.0.2.1:51820`. */
export function endpointFromText(text: string): Endpoint {
  const [address = "", port = ""] = text.split(":");
  return endpointOf({ family: 4, words: [ipv4(address)] }, Number(port));
}

export function ipv4(text: string): number {
  return text.split(".").reduce((word, part) => ((word << 8) | Number(part)) >>> 0, 0);
}

/** An IPv4 packet with a numbered payload. */
export function ipv4Packet(
  from: string,
  to: string,
  { number = 0, length = 100 }: { number?: number; length?: number } = {},
): Uint8Array {
  const packet = new Uint8Array(length);
  const view = new DataView(packet.buffer);
  packet[0] = 0x45;
  view.setUint16(2, length);
  view.setUint32(12, ipv4(from));
  view.setUint32(16, ipv4(to));
  if (length >= 24) view.setUint32(20, number);
  return packet;
}
