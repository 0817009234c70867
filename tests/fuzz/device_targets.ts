/** The core, given datagrams by an attacker, by a peer gone mad, and packets by its own machine. */
import assert from "node:assert/strict";
import { CookieGenerator } from "../../tunnel/protocol/cookie.ts";
import type { Crypto } from "../../tunnel/protocol/crypto.ts";
import { nativeCrypto } from "../../tunnel/protocol/native.ts";
import { nobleCrypto } from "../../tunnel/protocol/noble.ts";
import type { Peer } from "../../tunnel/protocol/peer.ts";
import {
  endpointFromText,
  ipv4,
  ipv4Packet,
  type Node,
  Simulation,
} from "../../tunnel/protocol/simulation.ts";
import type { FuzzTarget } from "./target.ts";

const A = "10.0.0.1";
const B = "10.0.0.2";
const library: Crypto = nativeCrypto() ?? nobleCrypto;
const STRANGER = endpointFromText("203.0.113.66:6666");

interface Scene {
  readonly simulation: Simulation;
  readonly a: Node;
  readonly b: Node;
  /** What went over the wire before; all of it was taken already. */
  readonly old: readonly Uint8Array[];
}

/** Two devices with a session, and a handshake of `b` under way whose initiation was lost. */
function scene(): Scene {
  const simulation = new Simulation(library);
  const a = simulation.node("192.0.2.1:1000", { slots: 32 });
  const b = simulation.node("192.0.2.2:2000", { slots: 32 });
  a.knows(b, [ipv4(B), 32]);
  b.knows(a, [ipv4(A), 32]);
  a.send(ipv4Packet(A, B));
  simulation.run(6000);
  const [first] = b.received.splice(0);
  assert.ok(first !== undefined, "the scene is set");
  simulation.wire = () => [];
  b.configure({ peers: [{ publicKey: a.publicKey, persistentKeepalive: 3 }] });
  const peer = peerOf(b);
  peer.lastInitiationSentAt = -Infinity;
  peer.newHandshakeAt = simulation.now;
  peer.wakeAt = Infinity;
  const old = simulation.sent.splice(0).map(({ bytes }) => bytes);
  return { simulation, a, b, old };
}

function peerOf(node: Node): Peer {
  const [peer] = node.device.peers.values();
  if (peer === undefined) throw new Error("Cannot fuzz: the node has no peer");
  return peer;
}

/** After whatever came, the session must still carry packets. */
function stillWorks({ simulation, a, b }: Scene): void {
  simulation.wire = () => [1];
  b.received.length = 0;
  const packet = ipv4Packet(A, B, { number: 4711 });
  a.send(packet);
  simulation.run(12_000);
  if (b.received.length === 0) {
    a.send(packet);
    simulation.run(12_000);
  }
  assert.ok(b.received.some((received) => equal(received, packet)), "the session is dead");
}

function whatHappened({ simulation, b }: Scene): string {
  const drops = Object.entries(b.device.drops).filter(([, count]) => count > 0)
    .map(([name]) => name);
  const sent = simulation.sent.map(({ bytes }) => bytes[0]);
  const events = b.events.map(({ kind }) => kind);
  return [...drops, "sent", ...sent, ...new Set(events), `out ${b.received.length}`].join(" ");
}

/** The first byte says how much the attacker knows. */
const datagrams: FuzzTarget = {
  name: "datagrams",
  // Every scene is the same to the last bit, so what is genuine in one is in all of them.
  seeds: [0, 1, 2].flatMap((mode) => [
    ...scene().old.map((message) => Uint8Array.from([mode, ...message])),
    ...[[1, 148], [2, 92], [3, 64], [4, 32], [4, 144]].map(([type = 0, length = 0]) => {
      const input = new Uint8Array(1 + length);
      input[0] = mode;
      input[1] = type;
      return input;
    }),
  ]),
  run(input) {
    const stage = scene();
    const { b } = stage;
    const bytes = input.slice(1);
    const view = new DataView(bytes.buffer);
    const mode = (input[0] ?? 0) & 3;
    const peer = peerOf(b);
    // Indices that b has given out, so that more than the first look is taken.
    if (mode >= 1 && bytes.length >= 12) {
      const index = (peer.handshake ?? peer.current)?.localIndex ?? 0;
      if (bytes[0] === 2) view.setUint32(8, index, true);
      else if (bytes[0] === 4) view.setUint32(4, peer.current?.localIndex ?? 0, true);
      else if (bytes[0] === 3) view.setUint32(4, index, true);
    }
    if (mode >= 2 && bytes.length > 32) {
      new CookieGenerator(b.publicKey, library).addMacs(bytes, stage.simulation.now);
    }
    const before = b.received.length;
    b.receive(bytes, STRANGER);
    assert.equal(b.received.length, before, "nothing comes out of what isn't authentic");
    assert.ok(!peer.endpoint?.reaches(STRANGER), "nobody is moved by it");
    const result = whatHappened(stage);
    stillWorks(stage);
    return result;
  },
};

/** A peer that holds the keys, and sends anything in a session. */
const plaintexts: FuzzTarget = {
  name: "plaintexts",
  seeds: [
    ipv4Packet(A, B),
    ipv4Packet("10.0.0.9", B),
    Uint8Array.from([0x60, ...new Uint8Array(59)]),
    new Uint8Array(0),
    Uint8Array.from([0x45, 0, 0, 20]),
  ],
  run(input) {
    const stage = scene();
    const { a, b } = stage;
    const { current } = peerOf(a);
    assert.ok(current !== undefined);
    const arena = new Uint8Array(input.length + 64);
    const counter = current.sendCounter++;
    const view = new DataView(arena.buffer);
    view.setUint32(0, 4, true);
    view.setUint32(4, current.remoteIndex, true);
    view.setUint32(8, counter, true);
    arena.set(input, 16);
    library.transport(arena).seal(current.sendKey, counter, 16, input.length);
    b.received.length = 0;
    b.receive(arena.slice(0, 32 + input.length), a.endpoint);
    for (const packet of b.received) {
      assert.equal(new DataView(packet.buffer).getUint32(12), ipv4(A), "from its own address only");
      assert.ok(packet.length >= 20 && packet.length <= input.length);
      assert.ok(equal(packet, input.subarray(0, packet.length)));
    }
    const kind = input.length === 0 ? "keepalive" : `version ${(input[0] ?? 0) >> 4}`;
    const result = `${kind} ${whatHappened(stage)}`;
    stillWorks(stage);
    return result;
  },
};

/** What the machine's own TUN may hand out. */
const outgoing: FuzzTarget = {
  name: "outgoing",
  seeds: [
    ipv4Packet(A, B),
    ipv4Packet(A, "10.9.9.9"),
    Uint8Array.from([0x60, 0, 0, 0, 0, 8, 44, 64, ...new Uint8Array(60)]),
    Uint8Array.from([
      0x45,
      0,
      0,
      48,
      0,
      0,
      0,
      0,
      64,
      17,
      0,
      0,
      10,
      0,
      0,
      1,
      192,
      0,
      2,
      1,
      7,
      208,
      3,
      232,
      0,
      28,
      0,
      0,
      4,
      0,
      0,
      0,
      ...new Uint8Array(16),
    ]),
  ],
  run(input) {
    const stage = scene();
    const { b } = stage;
    const everything = { family: 4 as const, words: [0], length: 0 };
    const everything6 = { family: 6 as const, words: [0, 0, 0, 0], length: 0 };
    const { publicKey } = stage.a;
    b.configure({ peers: [{ publicKey, allowedIps: [everything, everything6] }] });
    stage.simulation.sent.length = 0;
    b.send(input);
    const data = stage.simulation.sent.filter(({ bytes }) => bytes[0] === 4);
    const { noRoute, looped } = b.device.drops;
    assert.equal(data.length + noRoute + looped, 1, "carried, or counted");
    const version = (input[0] ?? 0) >> 4;
    assert.equal(
      noRoute === 1,
      !(version === 4 && input.length >= 20) && !(version === 6 && input.length >= 40),
    );
    for (const { bytes } of data) {
      const padded = bytes.length - 32;
      assert.ok(
        padded >= input.length && padded < input.length + 16 &&
          padded <= Math.max(1420, input.length),
      );
    }
    const result = `version ${version} length ${Math.min(3, input.length >> 5)} ${
      whatHappened(stage)
    }`;
    stillWorks(stage);
    return result;
  },
};

/** Two devices with a manual key; an announcement of `a` on its way, another of `b` unanswered. */
function manualScene(): Scene {
  const simulation = new Simulation(library);
  const a = simulation.node("192.0.2.1:1000", { slots: 32 });
  const b = simulation.node("192.0.2.2:2000", { slots: 32 });
  const manualKey = new Uint8Array(32).fill(42);
  a.knows(b, [ipv4(B), 32], { manualKey });
  b.knows(a, [ipv4(A), 32], { manualKey });
  a.send(ipv4Packet(A, B));
  simulation.run(6000);
  assert.equal(b.received.splice(0).length, 1, "the scene is set");
  simulation.wire = () => [];
  b.device.rekey(simulation.now);
  const old = simulation.sent.splice(0).map(({ bytes }) => bytes);
  return { simulation, a, b, old };
}

/** What an attacker makes of manual keys' messages. The first byte says how much he knows. */
const announcements: FuzzTarget = {
  name: "announcements",
  seeds: [0, 1, 2, 3].flatMap((mode) => [
    ...manualScene().old.map((message) => Uint8Array.from([mode, ...message])),
    ...[[128, 116], [129, 92], [128, 92], [129, 116]].map(([type = 0, length = 0]) => {
      const input = new Uint8Array(1 + length);
      input[0] = mode;
      input[1] = type;
      return input;
    }),
  ]),
  run(input) {
    const stage = manualScene();
    const { a, b, old } = stage;
    const bytes = input.slice(1);
    const mode = (input[0] ?? 0) & 3;
    const peer = peerOf(b);
    // An answer to what b announced; an announcement that names the right key.
    if (mode >= 1 && bytes[0] === 129 && bytes.length >= 12) {
      const index = peer.manual?.announced?.state.localIndex ?? 0;
      new DataView(bytes.buffer).setUint32(8, index, true);
    }
    const genuine = old.find((message) => message[0] === 128);
    if (mode >= 2 && bytes[0] === 128 && genuine !== undefined && bytes.length >= 56) {
      bytes.set(genuine.subarray(8, 56), 8);
    }
    if (mode >= 1 && bytes.length > 32) {
      new CookieGenerator(b.publicKey, library).addMacs(bytes, stage.simulation.now);
    }
    b.receive(bytes, STRANGER);
    assert.equal(b.received.length, 0, "nothing comes out of what isn't authentic");
    assert.ok(peer.endpoint?.reaches(a.endpoint), "nobody is moved by it");
    assert.equal(b.count("announcement-taken"), 1, "nothing else was taken");
    const result = whatHappened(stage);
    stillWorks(stage);
    return result;
  },
};

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

export const deviceTargets: readonly FuzzTarget[] = [
  datagrams,
  announcements,
  plaintexts,
  outgoing,
];
