/** Where sessions, sources and the machine end: counters, floods, clocks. */
import assert from "node:assert/strict";
import vectors from "../../tests/vectors/wireguard_crypto.json" with { type: "json" };
import { SOURCE_BURST } from "./choices.ts";
import { CookieGenerator } from "./cookie.ts";
import { type Endpoint, endpointOf } from "./endpoint.ts";
import { CRYPTOS } from "./every_crypto.ts";
import type { Keypair } from "./keypair.ts";
import type { Peer } from "./peer.ts";
import { endpointFromText, ipv4, ipv4Packet, type Node, Simulation } from "./simulation.ts";
import { REJECT_AFTER_MESSAGES, REKEY_AFTER_MESSAGES } from "./spec.ts";

const A = "10.0.0.1";
const B = "10.0.0.2";

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

  for (const family of [4, 6] as const) {
    const name = `our own datagrams don't go round in circles, IPv${family} (${crypto.name})`;
    Deno.test(name, () => {
      const simulation = new Simulation(crypto);
      const { a, b } = pair(simulation);
      if (family === 6) b.endpoint = endpointOf({ family, words: [0x20010db8, 0, 0, 2] }, 2000);
      a.configure({ peers: [{ publicKey: b.publicKey, endpoint: b.endpoint }] });
      a.send(aToB(1));
      simulation.run(100);
      // The way to b leads into the tunnel now: what a sends comes out of its TUN again.
      const everything = { family: 4 as const, words: [0], length: 0 };
      const everything6 = { family: 6 as const, words: [0, 0, 0, 0], length: 0 };
      const peers = [{ publicKey: b.publicKey, allowedIps: [everything, everything6] }];
      a.configure({ peers });
      simulation.wire = () => [];
      a.send(aToB(2));
      const looped = simulation.sent.at(-1)?.bytes;
      assert.ok(looped !== undefined);
      const count = simulation.sent.length;
      a.send(wrapped(b.endpoint, looped));
      assert.equal(a.device.drops.looped, 1);
      a.send(fragment(wrapped(b.endpoint, looped)));
      assert.equal(a.device.drops.looped, 2, "the first fragment of one too");
      assert.equal(simulation.sent.length, count);
      // Another tunnel to the same peer, or something else there, is none of it.
      const foreign = looped.slice();
      foreign[4] = (foreign[4] ?? 0) ^ 1;
      a.send(wrapped(b.endpoint, foreign));
      const elsewhere = b.endpoint.clone();
      elsewhere.words[1] = (elsewhere.words[1] ?? 0) + 1;
      a.send(wrapped(elsewhere, looped));
      assert.equal(simulation.sent.length, count + 2);
    });
  }

  Deno.test(`an ephemeral key of low order gets no answer (${crypto.name})`, () => {
    const simulation = new Simulation(crypto);
    const { a, b } = pair(simulation);
    simulation.wire = () => [];
    a.send(aToB(1));
    const initiation = simulation.sent[0]?.bytes;
    assert.ok(initiation !== undefined);
    const macs = new CookieGenerator(b.publicKey, crypto);
    for (const publicKey of vectors.x25519LowOrder.publicKeys) {
      initiation.set(Uint8Array.fromHex(publicKey), 8);
      macs.addMacs(initiation, simulation.now);
      b.receive(initiation, a.endpoint);
    }
    assert.equal(b.device.drops.handshakeRefused, vectors.x25519LowOrder.publicKeys.length);
    assert.equal(simulation.sent.length, 1);
    assert.equal(b.pool.used, 2, "nothing is kept of them");
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

/** As the kernel would hand it to the TUN: a UDP packet to `to` with this payload. */
function wrapped(to: Endpoint, payload: Uint8Array): Uint8Array {
  const header = to.family === 4 ? 20 : 40;
  const packet = new Uint8Array(header + 8 + payload.length);
  const view = new DataView(packet.buffer);
  if (to.family === 4) {
    packet[0] = 0x45;
    packet[9] = 17;
    view.setUint16(2, packet.length);
    view.setUint32(16, to.words[1] ?? 0);
  } else {
    packet[0] = 0x60;
    packet[6] = 17;
    view.setUint16(4, packet.length - header);
    for (let word = 0; word < 4; word++) view.setUint32(24 + 4 * word, to.words[1 + word] ?? 0);
  }
  view.setUint16(header + 2, to.port);
  packet.set(payload, header + 8);
  return packet;
}

/** Its first fragment. */
function fragment(packet: Uint8Array): Uint8Array {
  if (packet[0] === 0x45) {
    const first = packet.slice();
    first[6] = 0x20;
    return first;
  }
  const first = new Uint8Array(packet.length + 8);
  first.set(packet.subarray(0, 40));
  first[6] = 44;
  first[40] = 17;
  first[43] = 1;
  first.set(packet.subarray(40), 48);
  return first;
}
