import assert from "node:assert/strict";
import type { Crypto, TransportAead } from "./crypto.ts";
import { CRYPTOS } from "./every_crypto.ts";
import { nobleCrypto } from "./noble.ts";
import type { Peer } from "./peer.ts";
import { endpointFromText, ipv4, ipv4Packet, type Node, Simulation } from "./simulation.ts";

const A = "10.0.0.1";
const B = "10.0.0.2";
const MANUAL = new Uint8Array(32).fill(77);
const MINUTE = 60_000;

/** `crypto`, but it throws when a key seals two things with one nonce, whichever device did it. */
function watched(crypto: Crypto): Crypto {
  const used = new Set<string>();
  const once = (name: string) => {
    assert.ok(!used.has(name), "a nonce was used twice with one key");
    used.add(name);
  };
  return {
    ...crypto,
    seal: (out, key, plaintext, ad) => {
      once(`${key.toHex()} message`);
      crypto.seal(out, key, plaintext, ad);
    },
    transport: (arena): TransportAead => {
      const aead = crypto.transport(arena);
      return {
        seal: (key, counter, offset, length) => {
          once(`${key.toHex()} ${counter}`);
          aead.seal(key, counter, offset, length);
        },
        open: (key, counter, offset, length) => aead.open(key, counter, offset, length),
        forget: () => aead.forget(),
      };
    },
  };
}

/** Two nodes with one manual key; only `a` knows where the other is. */
function pair(simulation: Simulation, options: Parameters<Simulation["node"]>[1] = {}) {
  const a = simulation.node("192.0.2.1:1000");
  const b = simulation.node("192.0.2.2:2000", options);
  a.knows(b, [ipv4(B), 32], { manualKey: MANUAL });
  meets(b, a);
  return { a, b };
}

/** `b` takes `a` for a client whose address it doesn't know. */
function meets(b: Node, a: Node, newerThan?: Uint8Array): void {
  b.configure({
    peers: [{
      publicKey: a.publicKey,
      manualKey: MANUAL,
      allowedIps: [{ family: 4, words: [ipv4(A)], length: 32 }],
      ...(newerThan === undefined ? {} : { newerThan }),
    }],
  });
}

/** The same identity on another machine, which takes the address over; the old one is gone. */
function restarted(simulation: Simulation, old: Node): Node {
  const node = simulation.node("203.0.113.1:1");
  node.endpoint = old.endpoint;
  old.endpoint = endpointFromText("203.0.113.2:2");
  old.device.close();
  node.privateKey.set(old.privateKey);
  node.publicKey.set(old.publicKey);
  node.configure({ identity: { kind: "local", privateKey: node.privateKey } });
  return node;
}

function onlyPeer(node: Node): Peer {
  const [peer] = node.device.peers.values();
  if (peer === undefined) throw new Error("Cannot test: the node has no peer");
  return peer;
}

const aToB = (number = 0) => ipv4Packet(A, B, { number });
const bToA = (number = 0) => ipv4Packet(B, A, { number });
const lengths = ({ sent }: Simulation) => sent.map(({ bytes }) => bytes.length);
const types = ({ sent }: Simulation) => sent.map(({ bytes }) => bytes[0]);
const numbers = (node: Node) =>
  node.received.map((bytes) => new DataView(bytes.buffer).getUint32(20));

for (const crypto of CRYPTOS) {
  Deno.test(`manual keys: the first packet follows the announcement at once (${crypto.name})`, () => {
    const simulation = new Simulation(watched(crypto));
    const { a, b } = pair(simulation);
    a.send(aToB(1));
    a.send(aToB(2));
    // No time has passed, and nobody has answered.
    assert.deepEqual(lengths(simulation), [116, 144, 144]);
    simulation.run(1);
    assert.deepEqual(numbers(b), [1, 2]);
    simulation.run(9);
    assert.deepEqual(types(simulation), [128, 4, 4, 129, 4]);
    b.send(bToA(3));
    a.send(aToB(4));
    simulation.run(10);
    assert.deepEqual(numbers(a), [3]);
    assert.deepEqual(numbers(b), [1, 2, 4]);
    assert.equal(a.count("handshake-completed"), 1);
    assert.equal(b.count("handshake-completed"), 1);
    assert.equal(onlyPeer(a).txBytes, onlyPeer(b).rxBytes);
    assert.equal(onlyPeer(b).txBytes, onlyPeer(a).rxBytes);
  });

  Deno.test(`manual keys: sessions are renewed and nothing is lost in an hour (${crypto.name})`, () => {
    const simulation = new Simulation(watched(crypto));
    const { a, b } = pair(simulation);
    for (let second = 0; second < 3600; second += 5) {
      a.send(aToB(second));
      simulation.run(2500);
      b.send(bToA(second));
      simulation.run(2500);
    }
    assert.deepEqual([numbers(b).length, numbers(a).length], [720, 720]);
    const renewals = a.count("handshake-completed");
    assert.ok(renewals >= 25 && renewals <= 31, `${renewals} sessions`);
    assert.equal(a.count("handshake-failed"), 0);
  });

  Deno.test(`manual keys: a side that never hears an answer is heard for an hour (${crypto.name})`, () => {
    const simulation = new Simulation(watched(crypto));
    const { a, b } = pair(simulation);
    simulation.wire = ({ from }) => from.reaches(a.endpoint) ? [1] : [];
    for (let second = 0; second < 3600; second += 5) {
      a.send(aToB(second));
      simulation.run(5000);
    }
    assert.equal(new Set(numbers(b)).size, 720);
    assert.equal(numbers(b).length, 720);
    const announcements = types(simulation).filter((type) => type === 128).length;
    assert.ok(announcements <= 3 * 3600 / 5, `${announcements} announcements`);
    simulation.wire = () => [1];
    simulation.run(10_000);
    a.send(aToB(1));
    b.send(bToA(9999));
    simulation.run(6000);
    assert.ok(numbers(a).includes(9999), "once answers get through, both speak");
  });
}

Deno.test("manual keys: what was announced to nobody is announced again, then in longer steps", () => {
  const simulation = new Simulation(nobleCrypto);
  const { a, b } = pair(simulation);
  simulation.wire = () => [];
  a.send(aToB(1));
  simulation.run(300);
  simulation.wire = () => [1];
  a.send(aToB(2));
  simulation.run(1000);
  a.send(aToB(3));
  simulation.run(10);
  assert.deepEqual(numbers(b), [3], "the third one was heard, 1.25 s after the first");

  const alone = new Simulation(nobleCrypto);
  const lonely = pair(alone);
  alone.wire = () => [];
  lonely.a.send(aToB(1));
  // Data went out, so after 15 s without a word it begins anew, once.
  alone.run(10 * MINUTE);
  const count = types(alone).filter((type) => type === 128).length;
  assert.ok(count <= 3 * (19 + 4), `${count} announcements, and then silence`);
  assert.ok(lonely.a.count("handshake-failed") >= 1);
});

Deno.test("manual keys: the hub may speak first, and both at once", () => {
  const simulation = new Simulation(watched(nobleCrypto));
  const { a, b } = pair(simulation);
  b.configure({ peers: [{ publicKey: a.publicKey, endpoint: a.endpoint }] });
  b.send(bToA(1));
  a.send(aToB(2));
  simulation.run(1);
  assert.deepEqual([numbers(a), numbers(b)], [[1], [2]]);
  simulation.run(1000);
  for (let number = 10; number < 20; number++) {
    a.send(aToB(number));
    b.send(bToA(number));
    simulation.run(1000);
  }
  assert.equal(numbers(a).length, 11);
  assert.equal(numbers(b).length, 11);
});

Deno.test("manual keys: nothing that was on the wire is taken a second time, and nobody is moved", () => {
  const simulation = new Simulation(watched(nobleCrypto));
  const { a, b } = pair(simulation);
  for (let number = 1; number <= 200; number++) {
    a.send(aToB(number));
    simulation.run(3000);
  }
  const [before, old] = [numbers(b).length, [...simulation.sent]];
  assert.equal(before, 200);
  const stranger = endpointFromText("203.0.113.66:6666");
  for (const { bytes } of old) {
    b.receive(bytes, stranger);
    a.receive(bytes, stranger);
  }
  assert.equal(numbers(b).length, before);
  assert.ok(onlyPeer(b).endpoint?.reaches(a.endpoint));
  assert.ok(onlyPeer(a).endpoint?.reaches(b.endpoint));
  const answers = simulation.sent.slice(old.length).filter(({ bytes }) => bytes[0] === 129);
  assert.ok(answers.length <= 1, "a live session isn't disturbed by answers");
  a.send(aToB(300));
  simulation.run(10);
  assert.equal(numbers(b).at(-1), 300);
});

Deno.test("manual keys: a receiver that starts anew refuses replays by what it remembers", () => {
  const simulation = new Simulation(watched(nobleCrypto));
  const { a, b } = pair(simulation);
  a.send(aToB(1));
  simulation.run(100);
  const taken = b.events.find((event) => event.kind === "announcement-taken");
  assert.ok(taken?.kind === "announcement-taken");
  const old = simulation.sent.map(({ bytes }) => bytes);

  const second = restarted(simulation, b);
  meets(second, a, taken.timestamp);
  for (const bytes of old) second.receive(bytes, a.endpoint);
  assert.deepEqual(numbers(second), []);

  // The genuine one finds its way back: silence makes it announce anew.
  a.send(aToB(2));
  simulation.run(16_000);
  a.send(aToB(3));
  simulation.run(100);
  assert.equal(numbers(second).at(-1), 3);
});

Deno.test("manual keys: one that remembers nothing goes by its clock; early data within it remain", () => {
  const simulation = new Simulation(watched(nobleCrypto));
  const { a, b } = pair(simulation);
  a.send(aToB(1));
  simulation.run(100);
  a.send(aToB(2));
  simulation.run(100);
  assert.deepEqual(numbers(b), [1, 2]);
  const old = simulation.sent.map(({ bytes }) => bytes);
  const soon = restarted(simulation, b);
  meets(soon, a);
  for (const bytes of old) soon.receive(bytes, a.endpoint);
  // What remains: packet 1, which went out before an answer. Packet 2 had a nonce of b's too.
  assert.deepEqual(numbers(soon), [1]);
  simulation.run(6 * MINUTE);
  const late = restarted(simulation, soon);
  meets(late, a);
  for (const bytes of old) late.receive(bytes, a.endpoint);
  assert.deepEqual(numbers(late), []);
});

Deno.test("manual keys: a second machine with the same token, and a clock that went back", () => {
  const simulation = new Simulation(watched(nobleCrypto));
  const { a, b } = pair(simulation);
  a.send(aToB(1));
  simulation.run(100);
  const second = restarted(simulation, a);
  second.endpoint = endpointFromText("198.51.100.1:1");
  second.knows(b, [ipv4(B), 32], { manualKey: MANUAL });
  second.send(aToB(2));
  simulation.run(100);
  assert.deepEqual(numbers(b), [1, 2], "at once");
  assert.ok(onlyPeer(b).endpoint?.reaches(second.endpoint));

  simulation.run(3 * MINUTE);
  simulation.wallClock -= 3_600_000;
  const third = restarted(simulation, second);
  third.knows(b, [ipv4(B), 32], { manualKey: MANUAL });
  third.send(aToB(3));
  simulation.run(100);
  third.send(aToB(4));
  simulation.run(100);
  // The first packet couldn't be told from a replay; from the answer on all is well.
  assert.deepEqual(numbers(b), [1, 2, 4]);
});

Deno.test("manual keys: another key, another receiver, one's own echo: silence", () => {
  const simulation = new Simulation(watched(nobleCrypto));
  const { a, b } = pair(simulation);
  const c = simulation.node("192.0.2.3:3000");
  c.knows(b, [ipv4(B), 32], { manualKey: new Uint8Array(32).fill(78) });
  c.send(aToB(1));
  simulation.run(2000);
  assert.deepEqual(numbers(b), []);
  assert.ok(simulation.sent.every(({ from }) => from.reaches(c.endpoint)), "no word from b");

  // The right key under another identity is another way.
  c.configure({ peers: [{ publicKey: b.publicKey, manualKey: MANUAL }] });
  simulation.run(10_000);
  c.send(aToB(2));
  simulation.run(2000);
  assert.deepEqual(numbers(b), []);

  const before = simulation.sent.length;
  a.send(aToB(3));
  for (const { bytes } of simulation.sent.slice(before)) a.receive(bytes, b.endpoint);
  assert.deepEqual(numbers(a), []);
  assert.equal(a.count("announcement-taken"), 0);
});

Deno.test("manual keys: the id of the key doesn't show on the wire", () => {
  const simulation = new Simulation(nobleCrypto);
  const { a } = pair(simulation);
  a.send(aToB(1));
  simulation.run(6000);
  a.device.rekey(simulation.now);
  const announcements = simulation.sent.filter(({ bytes }) => bytes[0] === 128);
  const ids = new Set(announcements.map(({ bytes }) => bytes.slice(40, 56).toHex()));
  const nonces = new Set(announcements.map(({ bytes }) => bytes.slice(8, 40).toHex()));
  assert.equal(ids.size, 2);
  assert.equal(nonces.size, 2);
});

Deno.test("manual keys: a peer with one shakes no hands, and does when it is taken away", () => {
  const simulation = new Simulation(watched(nobleCrypto));
  const { a, b } = pair(simulation);
  a.configure({ peers: [{ publicKey: b.publicKey, manualKey: "none" }] });
  a.send(aToB(1));
  simulation.run(1000);
  assert.deepEqual(types(simulation), [1], "an initiation, without an answer");
  b.configure({ peers: [{ publicKey: a.publicKey, manualKey: "none" }] });
  simulation.run(6000);
  assert.deepEqual(numbers(b), [1]);
});

Deno.test("manual keys: the same key set again changes nothing, another ends the sessions", () => {
  const simulation = new Simulation(watched(nobleCrypto));
  const { a, b } = pair(simulation);
  a.send(aToB(1));
  simulation.run(100);
  for (const node of [a, b]) {
    const [publicKey] = [onlyPeer(node).publicKey];
    node.configure({ peers: [{ publicKey, manualKey: MANUAL.slice() }] });
  }
  a.send(aToB(2));
  b.send(bToA(2));
  simulation.run(100);
  assert.deepEqual([numbers(a), numbers(b)], [[2], [1, 2]]);
  b.configure({ peers: [{ publicKey: a.publicKey, manualKey: new Uint8Array(32).fill(5) }] });
  a.send(aToB(3));
  simulation.run(30_000);
  assert.deepEqual(numbers(b), [1, 2]);
});

Deno.test("manual keys: under load a cookie is asked for, and the repetition brings it", () => {
  const simulation = new Simulation(watched(nobleCrypto));
  const { a, b } = pair(simulation, { loadLimit: 0 });
  a.send(aToB(1));
  simulation.run(100);
  assert.deepEqual(types(simulation), [128, 4, 3]);
  simulation.run(200);
  a.send(aToB(2));
  simulation.run(10);
  assert.deepEqual(numbers(b), [2]);
});

Deno.test("manual keys: two sessions of one index: the later one waits for its answer", () => {
  // The index is the fourth output of a derivation, and no other has four.
  const crypto: Crypto = {
    ...nobleCrypto,
    hmac: (out, key, data) => {
      nobleCrypto.hmac(out, key, data);
      if (data.length === 33 && data[32] === 4) out.fill(7);
    },
  };
  const simulation = new Simulation(crypto);
  const { a, b } = pair(simulation);
  const c = simulation.node("192.0.2.3:3000");
  c.knows(b, [ipv4(B), 32], { manualKey: MANUAL });
  b.configure({
    peers: [{
      publicKey: c.publicKey,
      manualKey: MANUAL,
      allowedIps: [{ family: 4, words: [ipv4("10.0.0.3")], length: 32 }],
    }],
  });
  a.send(aToB(1));
  simulation.run(10);
  c.send(ipv4Packet("10.0.0.3", B, { number: 2 }));
  simulation.run(10);
  c.send(ipv4Packet("10.0.0.3", B, { number: 3 }));
  a.send(aToB(4));
  simulation.run(10);
  assert.deepEqual(numbers(b), [1, 3, 4]);
});

Deno.test("manual keys: a peer that moves is followed", () => {
  const simulation = new Simulation(watched(nobleCrypto));
  const { a, b } = pair(simulation);
  a.send(aToB(1));
  simulation.run(100);
  a.endpoint = endpointFromText("198.51.100.7:777");
  a.send(aToB(2));
  simulation.run(100);
  b.send(bToA(3));
  simulation.run(100);
  assert.deepEqual(numbers(a), [3]);
});

Deno.test("manual keys: when sessions have ended or a peer is gone, no key is left in memory", () => {
  const simulation = new Simulation(watched(nobleCrypto));
  const { a, b } = pair(simulation);
  const idle = [a.pool.used, b.pool.used];
  a.send(aToB(1));
  simulation.run(100);
  b.send(bToA(1));
  simulation.run(20 * MINUTE);
  assert.ok(a.count("keys-expired") > 0 && b.count("keys-expired") > 0);
  assert.deepEqual([a.pool.used, b.pool.used], idle);

  simulation.wire = ({ from }) => from.reaches(a.endpoint) ? [1] : [];
  for (let second = 0; second < 300; second++) {
    a.send(aToB(second));
    simulation.run(1000);
  }
  assert.ok(a.pool.used > (idle[0] ?? 0) && b.pool.used > (idle[1] ?? 0));
  assert.ok(a.pool.used <= (idle[0] ?? 0) + 8, "256 bytes more than a handshaken peer at most");
  a.configure({ peers: [{ publicKey: b.publicKey, remove: true }] });
  b.configure({ peers: [{ publicKey: a.publicKey, remove: true }] });
  for (const node of [a, b]) assert.ok(node.memory.every((byte) => byte === 0));
});

Deno.test("manual keys: with no memory left nothing is sent, and there is no crash", () => {
  const simulation = new Simulation(nobleCrypto);
  const a = simulation.node("192.0.2.1:1000", { slots: 6 });
  const b = simulation.node("192.0.2.2:2000");
  a.knows(b, [ipv4(B), 32], { manualKey: MANUAL });
  a.send(aToB(1));
  simulation.run(1000);
  assert.deepEqual(types(simulation), []);
  assert.ok(a.device.drops.noKeyMemory > 0);
});
