/** Where sessions, sources and the machine end: counters, floods, clocks. */
import assert from "node:assert/strict";
import { SOURCE_BURST } from "./choices.ts";
import type { Keypair } from "./keypair.ts";
import { nativeCrypto } from "./native.ts";
import { nobleCrypto } from "./noble.ts";
import type { Peer } from "./peer.ts";
import { endpointFromText, ipv4, ipv4Packet, type Node, Simulation } from "./simulation.ts";
import { REJECT_AFTER_MESSAGES, REKEY_AFTER_MESSAGES } from "./spec.ts";

const A = "10.0.0.1";
const B = "10.0.0.2";
const native = nativeCrypto();
const CRYPTOS = native === undefined ? [nobleCrypto] : [native, nobleCrypto];

function pair(
  simulation: Simulation,
  options: { b?: Parameters<Simulation["node"]>[1] } = {},
): { a: Node; b: Node } {
  const a = simulation.node("192.0.2.1:1000");
  const b = simulation.node("192.0.2.2:2000", options.b);
  a.knows(b, [ipv4(B), 32]);
  b.knows(a, [ipv4(A), 32]);
  return { a, b };
}

function onlyPeer(node: Node): Peer {
  const [peer] = node.device.peers.values();
  if (peer === undefined) throw new Error("Cannot test: the node has no peer");
  return peer;
}

function session(node: Node): Keypair {
  const { current } = onlyPeer(node);
  if (current === undefined) throw new Error("Cannot test: the node has no session");
  return current;
}

const aToB = (number: number) => ipv4Packet(A, B, { number });
const bToA = (number: number) => ipv4Packet(B, A, { number });
const typeCount = (simulation: Simulation, type: number) =>
  simulation.sent.filter(({ bytes }) => bytes[0] === type).length;
const counterOf = ({ bytes }: { bytes: Uint8Array }) =>
  new DataView(bytes.buffer).getBigUint64(8, true);

for (const crypto of CRYPTOS) {
  for (const role of ["initiator", "responder"] as const) {
    Deno.test(`a counter near its end renews the session, as ${role} (${crypto.name})`, () => {
      const simulation = new Simulation(crypto);
      const { a, b } = pair(simulation);
      a.send(aToB(1));
      simulation.run(6000);
      const [sender, receiver] = role === "initiator" ? [a, b] : [b, a];
      const send = role === "initiator" ? aToB : bToA;
      session(sender).sendCounter = REKEY_AFTER_MESSAGES - 1;
      sender.send(send(2));
      simulation.run(100);
      assert.equal(typeCount(simulation, 1), 1, "not yet");
      sender.send(send(3));
      sender.send(send(4));
      const before = receiver.received.length;
      simulation.run(100);
      assert.equal(typeCount(simulation, 1), 2, "one handshake");
      assert.ok(receiver.received.length > before, "the old session carries on meanwhile");
      assert.ok(session(sender).sendCounter < 10, "the new one counts from zero");
      sender.send(send(5));
      simulation.run(100);
      assert.deepEqual(receiver.received.at(-1), send(5));
    });
  }

  Deno.test(`a counter at its end sends nothing more (${crypto.name})`, () => {
    const simulation = new Simulation(crypto);
    const { a, b } = pair(simulation);
    a.send(aToB(1));
    simulation.run(100);
    // No handshake gets through, so the session can't be renewed.
    simulation.wire = ({ bytes }) => bytes[0] === 4 ? [1] : [];
    session(a).sendCounter = REJECT_AFTER_MESSAGES - 1;
    a.send(aToB(2));
    simulation.run(100);
    assert.deepEqual(b.received.at(-1), aToB(2), "the last number is good");
    const dataOfA = () =>
      simulation.sent.filter(({ from, bytes }) => from.reaches(a.endpoint) && bytes[0] === 4);
    const last = dataOfA().at(-1);
    assert.ok(last !== undefined);
    assert.equal(counterOf(last), BigInt(REJECT_AFTER_MESSAGES - 1));
    const { length } = dataOfA();
    for (let number = 3; number < 30; number++) {
      a.send(aToB(number));
      simulation.run(1000);
    }
    assert.equal(dataOfA().length, length, "no data");
    simulation.wire = () => [1];
    simulation.run(6000);
    assert.deepEqual(b.received.at(-1), aToB(29), "what waited goes with the new session");
  });

  Deno.test(`a number behind the end is refused, however authentic (${crypto.name})`, () => {
    const simulation = new Simulation(crypto);
    const { a, b } = pair(simulation);
    a.send(aToB(1));
    simulation.run(100);
    const { sendKey, remoteIndex } = session(a);
    const arena = new Uint8Array(256);
    const aead = crypto.transport(arena);
    for (const counter of [BigInt(REJECT_AFTER_MESSAGES), 2n ** 63n, 2n ** 64n - 1n]) {
      arena.set(aToB(2), 16);
      aead.seal(sendKey, Number(BigInt.asUintN(53, counter)), 16, 112);
      const view = new DataView(arena.buffer);
      view.setUint32(0, 4, true);
      view.setUint32(4, remoteIndex, true);
      view.setBigUint64(8, counter, true);
      b.receive(arena.slice(0, 144), a.endpoint);
    }
    assert.equal(b.device.drops.expiredKey, 3);
    assert.equal(b.received.length, 1);
    a.send(aToB(3));
    simulation.run(100);
    assert.equal(b.received.length, 2, "and the window hasn't moved");
  });

  Deno.test(`one source's flood under load takes nothing from another (${crypto.name})`, () => {
    const simulation = new Simulation(crypto);
    const b = simulation.node("192.0.2.2:2000", { loadLimit: 0 });
    const neighbours = [3, 4].map((last) => {
      const node = simulation.node(`192.0.2.${last}:1000`);
      const address = `10.0.0.${last}`;
      node.knows(b, [ipv4(B), 32]);
      b.knows(node, [ipv4(address), 32]);
      return { node, packet: ipv4Packet(address, B) };
    });
    const [flooder, victim] = neighbours;
    assert.ok(flooder !== undefined && victim !== undefined);
    flooder.node.send(flooder.packet);
    simulation.run(6000);
    const proven = simulation.sent.filter(({ bytes }) => bytes[0] === 1).at(-1);
    assert.ok(proven !== undefined && b.received.length === 1, "it has a valid cookie");
    victim.node.send(victim.packet);
    simulation.run(100);
    for (let count = 0; count < 500; count++) b.receive(proven.bytes, flooder.node.endpoint);
    assert.ok(b.device.drops.rateLimited >= 500 - SOURCE_BURST - 1);
    simulation.run(6000);
    assert.deepEqual(b.received.at(-1), victim.packet);
  });

  Deno.test(`a cookie is taken from the address and port it was made for (${crypto.name})`, () => {
    const simulation = new Simulation(crypto);
    const { a, b } = pair(simulation, { b: { loadLimit: 0 } });
    a.send(aToB(1));
    simulation.run(6000);
    const [, initiation] = simulation.sent.filter(({ bytes }) => bytes[0] === 1);
    assert.ok(initiation !== undefined);
    const before = b.device.drops.badMac2;
    const elsewhere = ["192.0.2.1:1001", "192.0.2.1:0", "192.0.2.9:1000", "0.0.0.0:1000"];
    for (const source of elsewhere) b.receive(initiation.bytes, endpointFromText(source));
    assert.equal(b.device.drops.badMac2, before + elsewhere.length);
    b.receive(initiation.bytes, a.endpoint);
    assert.equal(b.device.drops.handshakeReplayed, 1, "its own place passes this check");
    simulation.run(125_000);
    b.receive(initiation.bytes, a.endpoint);
    assert.equal(b.device.drops.handshakeReplayed, 1, "not after 120 s");
  });

  Deno.test(`a replayed or forged cookie reply changes nothing (${crypto.name})`, () => {
    const simulation = new Simulation(crypto);
    const { a } = pair(simulation, { b: { loadLimit: 0 } });
    a.send(aToB(1));
    simulation.run(100);
    const reply = simulation.sent.find(({ bytes }) => bytes[0] === 3);
    assert.ok(reply !== undefined);
    const forged = reply.bytes.slice();
    forged[40] = (forged[40] ?? 0) ^ 1;
    a.receive(forged, reply.from);
    assert.equal(a.device.drops.authentication, 1);
    simulation.run(6000);
    a.receive(reply.bytes, reply.from);
    assert.equal(a.device.drops.unknownIndex + a.device.drops.authentication, 2);
  });

  Deno.test(`the wall clock steps back a day, again and again (${crypto.name})`, () => {
    const simulation = new Simulation(crypto);
    const { a, b } = pair(simulation);
    for (let day = 0; day < 4; day++) {
      a.send(aToB(day));
      simulation.run(1000);
      assert.deepEqual(b.received.at(-1), aToB(day));
      simulation.wallClock -= 86_400_000;
      // Long enough for every key to be gone.
      simulation.run(700_000);
    }
    assert.equal(a.count("handshake-completed"), 4);
    assert.equal(b.device.drops.handshakeReplayed, 0);
  });

  Deno.test(`asleep for a week: the next packet begins anew (${crypto.name})`, () => {
    const simulation = new Simulation(crypto);
    const { a, b } = pair(simulation);
    a.send(aToB(1));
    simulation.run(100);
    // The clock goes on while no timer fires, as in a machine that sleeps.
    simulation.now += 7 * 86_400_000;
    b.send(bToA(2));
    a.send(aToB(3));
    simulation.run(10_000);
    assert.deepEqual(a.received.at(-1), bToA(2));
    assert.deepEqual(b.received.at(-1), aToB(3));
  });
}
