/**
 * What a packet and a handshake cost the core of a hub with 1 to 10,000 peers, all of them active and
 * taking turns, which is the worst order for every cache: CPU time of the process, so with the
 * garbage collector's threads. No network: only the core and libcrypto. Ends with one JSON line:
 * `ours` is a received packet with the most peers, `peer` the same with one.
 * `deno run -A bench/cost_by_peers.ts`
 */
import { cpuUsage } from "node:process";
import type { Crypto } from "../tunnel/protocol/crypto.ts";
import { Device } from "../tunnel/protocol/device.ts";
import { type Endpoint, endpointOf } from "../tunnel/protocol/endpoint.ts";
import { KeyPool } from "../tunnel/protocol/key_pool.ts";
import { nativeCrypto } from "../tunnel/protocol/native.ts";
import type { Outside } from "../tunnel/protocol/outside.ts";
import { round } from "./lib/compare.ts";

const PEERS = [1, 10, 100, 1000, 10_000];
const PACKETS = 20_000;
/** Enough for a figure of the handshake, where peers are few. */
const HANDSHAKES = 500;
const PACKET_BYTES = 512;
const PLACE = 4096;
const HUB_ADDRESS = 0x0a_ff_ff_01;
/** Further apart than any two initiations of one peer must be. */
const STEP_MS = 6000;

const found = nativeCrypto();
if (found === undefined) throw new Error("Cannot measure: there is no libcrypto 3 here");
const crypto: Crypto = found;
/** Ten thousand identities don't fit into OpenSSL's locked memory, and only one of them is measured. */
const clientCrypto: Crypto = {
  ...crypto,
  privateKey: (privateKey) => ({
    publicKey: (out) => crypto.publicKey(out, privateKey),
    dh: (out, publicKey) => crypto.dh(out, privateKey, publicKey),
    release() {},
  }),
};

interface EndParts {
  readonly arena: Uint8Array<ArrayBuffer>;
  readonly pool: KeyPool;
  readonly crypto: Crypto;
}

/** A device, and what it sent last. */
class End implements Outside {
  readonly endpoint: Endpoint;
  readonly privateKey = globalThis.crypto.getRandomValues(new Uint8Array(32));
  readonly publicKey = new Uint8Array(32);
  readonly device: Device;
  sent: Uint8Array = new Uint8Array(0);
  delivered = 0;
  keep = true;
  readonly #arena: Uint8Array<ArrayBuffer>;
  #wallClock = 0;

  constructor(address: number, { arena, pool, crypto }: EndParts) {
    this.#arena = arena;
    this.endpoint = endpointOf({ family: 4, words: [address] }, 51820);
    crypto.publicKey(this.publicKey, this.privateKey);
    this.device = new Device({
      crypto,
      outside: this,
      arena,
      pool,
      now: 0,
      mtu: 1420,
      loadLimit: Infinity,
    });
    this.device.configure({ identity: { kind: "local", privateKey: this.privateKey } }, 0);
  }

  take(bytes: Uint8Array, source: Endpoint, now: number): void {
    this.#arena.set(bytes, PLACE);
    this.device.datagram(PLACE, bytes.length, { source, now });
  }

  send(packet: Uint8Array, now: number): void {
    this.#arena.set(packet, PLACE);
    this.device.packetFromTun(PLACE, packet.length, now);
  }

  sendMessage(_endpoint: Endpoint, message: Uint8Array): void {
    this.sent = message;
  }
  sendData(_endpoint: Endpoint, offset: number, length: number): void {
    if (this.keep) this.sent = this.#arena.slice(offset, offset + length);
  }
  deliver(): void {
    this.delivered++;
  }
  reserve(): number {
    return PLACE;
  }
  requestDh(): void {}
  event(): void {}
  random(out: Uint8Array): void {
    globalThis.crypto.getRandomValues(out as Uint8Array<ArrayBuffer>);
  }
  wallClock(): number {
    return this.#wallClock += 100;
  }
}

interface Costs {
  readonly handshake: number;
  readonly received: number;
  readonly sent: number;
}

const costs = new Map<number, Costs>();
// The first run warms everything up, and isn't kept.
measure(10);
console.log("   peers   handshake   packet received   packet sent   (us of CPU)");
for (const peers of PEERS) {
  const { missing, ...cost } = measure(peers);
  if (missing > 0) throw new Error(`Cannot trust this run: ${missing} packets did not arrive`);
  costs.set(peers, cost);
  const columns = [
    `${peers}`.padStart(8),
    cost.handshake.toFixed(1).padStart(12),
    cost.received.toFixed(2).padStart(18),
    cost.sent.toFixed(2).padStart(14),
  ];
  console.log(columns.join(""));
}
const received = (peers: number | undefined) => costs.get(peers ?? 0)?.received ?? NaN;
console.log(JSON.stringify({
  name: "a received packet, cost with 10,000 peers against one",
  ours: round(received(PEERS.at(-1))),
  peer: round(received(PEERS[0])),
  ratio: round(received(PEERS.at(-1)) / received(PEERS[0])),
  unit: "us of CPU",
  peerVersion: "ours with one peer",
  more: Object.fromEntries(
    [...costs].map(([peers, { handshake, received, sent }]) => [
      peers,
      { handshake: round(handshake), received: round(received), sent: round(sent) },
    ]),
  ),
}));

function measure(peers: number) {
  const arena = new Uint8Array(65536);
  const pool = new KeyPool(new Uint8Array(65536), () => new Uint8Array(65536));
  const hub = new End(HUB_ADDRESS, { arena, pool, crypto });
  const clients = Array.from(
    { length: peers },
    (_, index) => new End(addressOf(index), { arena, pool, crypto: clientCrypto }),
  );
  introduce(hub, clients);
  let now = 0;
  let spent = 0;
  const rounds = Math.max(2, Math.ceil(HANDSHAKES / peers));
  for (let round = 0; round < rounds; round++) {
    now += STEP_MS;
    for (const client of clients) {
      client.device.rekey(now);
      spent += timed(() => hub.take(client.sent, client.endpoint, now));
      client.take(hub.sent, hub.endpoint, now);
      hub.take(client.sent, client.endpoint, now);
    }
  }
  const received = least(() => receive(hub, { clients, now }));
  hub.keep = false;
  const answers = clients.map((_, index) => ipPacket(HUB_ADDRESS, addressOf(index)));
  const sent = least(() =>
    timed(() => {
      for (let count = 0; count < PACKETS; count++) {
        hub.send(answers[count % peers] ?? new Uint8Array(0), now);
      }
    }) / PACKETS
  );
  const drops = hub.device.drops;
  const missing = drops.authentication + drops.notAllowed + drops.noRoute + drops.handshakeRefused;
  return { handshake: spent / (rounds * peers), received, sent, missing };
}

function receive(hub: End, { clients, now }: { clients: readonly End[]; now: number }): number {
  const rounds = Math.ceil(PACKETS / clients.length);
  const waiting: Uint8Array[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const [index, client] of clients.entries()) {
      client.send(ipPacket(addressOf(index), HUB_ADDRESS), now);
      waiting.push(client.sent);
    }
  }
  const before = hub.delivered;
  const took = timed(() => {
    let turn = 0;
    for (const bytes of waiting) {
      const source = clients[turn++ % clients.length]?.endpoint;
      if (source !== undefined) hub.take(bytes, source, now);
    }
  });
  if (hub.delivered - before !== waiting.length) {
    throw new Error("Cannot trust this run: packets did not arrive");
  }
  return took / waiting.length;
}

function introduce(hub: End, clients: readonly End[]): void {
  for (const [index, client] of clients.entries()) {
    const mine = { family: 4, words: [addressOf(index)], length: 32 } as const;
    hub.device.configure({ peers: [{ publicKey: client.publicKey, allowedIps: [mine] }] }, 0);
    const all = { family: 4, words: [0], length: 0 } as const;
    const { publicKey, endpoint } = hub;
    client.device.configure({ peers: [{ publicKey, endpoint, allowedIps: [all] }] }, 0);
  }
}

function addressOf(index: number): number {
  return 0x0a_00_00_02 + index;
}

function ipPacket(source: number, destination: number): Uint8Array {
  const packet = new Uint8Array(PACKET_BYTES);
  const view = new DataView(packet.buffer);
  view.setUint16(0, 0x4500);
  view.setUint16(2, PACKET_BYTES);
  view.setUint32(12, source);
  view.setUint32(16, destination);
  return packet;
}

/** Microseconds of CPU. */
function timed(action: () => void): number {
  const before = cpuUsage();
  action();
  const { user, system } = cpuUsage(before);
  return user + system;
}

/** Others share this machine: the least disturbed of three. */
function least(run: () => number): number {
  return Math.min(run(), run(), run());
}
