import assert from "node:assert/strict";
import { MAX_QUEUED_PACKETS } from "./choices.ts";
import type { Crypto } from "./crypto.ts";
import { CRYPTOS, NATIVE_CRYPTOS } from "./every_crypto.ts";
import { nobleCrypto } from "./noble.ts";
import { ipv4, ipv4Packet, type Node, Simulation } from "./simulation.ts";
import type { Peer } from "./peer.ts";

const A = "10.0.0.1";
const B = "10.0.0.2";

/** The same test for each of them. */
function withEach(name: string, run: (crypto: Crypto) => void): void {
  for (const crypto of CRYPTOS) Deno.test(`${name} (${crypto.name})`, () => run(crypto));
}

/** Two nodes that know each other. */
function pair(
  simulation: Simulation,
  options: { b?: Parameters<Simulation["node"]>[1]; a?: Parameters<Simulation["node"]>[1] } = {},
): { a: Node; b: Node } {
  const a = simulation.node("192.0.2.1:1000", options.a);
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

const aToB = (number = 0, length = 100) => ipv4Packet(A, B, { number, length });
const bToA = (number = 0, length = 100) => ipv4Packet(B, A, { number, length });
const typeCount = (simulation: Simulation, type: number) =>
  simulation.sent.filter(({ bytes }) => bytes[0] === type).length;

for (const crypto of CRYPTOS) {
  Deno.test(`a packet begins a handshake and arrives, both ways (${crypto.name})`, () => {
    const simulation = new Simulation(crypto);
    const { a, b } = pair(simulation);
    a.send(aToB(7));
    simulation.run(100);
    assert.deepEqual(b.received, [aToB(7)]);
    b.send(bToA(8));
    simulation.run(100);
    assert.deepEqual(a.received, [bToA(8)]);
    assert.equal(a.count("handshake-completed"), 1);
    assert.equal(b.count("handshake-completed"), 1);
    assert.equal(b.count("first-data-received"), 1);
    assert.deepEqual(simulation.sent.map(({ bytes }) => bytes.length), [148, 92, 144, 144]);
    assert.equal(onlyPeer(a).txBytes, 148 + 144);
    assert.equal(onlyPeer(a).rxBytes, 92 + 144);
    assert.deepEqual(
      [onlyPeer(a).txBytes, onlyPeer(a).rxBytes],
      [onlyPeer(b).rxBytes, onlyPeer(b).txBytes],
    );
  });
}

for (const native of NATIVE_CRYPTOS) {
  Deno.test(`${native.name} and noble understand each other with a preshared key`, () => {
    const mixed = new Simulation(native);
    const a = mixed.node("192.0.2.1:1000");
    const portable = new Simulation(nobleCrypto, 2);
    const b = portable.node("192.0.2.2:2000");
    const presharedKey = new Uint8Array(32).fill(9);
    a.knows(b, [ipv4(B), 32], { presharedKey });
    b.knows(a, [ipv4(A), 32], { presharedKey });
    a.send(aToB(1));
    for (let round = 0; round < 4; round++) {
      for (const { bytes } of mixed.sent.splice(0)) b.receive(bytes, a.endpoint);
      for (const { bytes } of portable.sent.splice(0)) a.receive(bytes, b.endpoint);
    }
    assert.deepEqual(b.received, [aToB(1)]);
  });
}

withEach("a wrong preshared key gives no session, and no packet", (crypto) => {
  const simulation = new Simulation(crypto);
  const { a, b } = pair(simulation);
  a.configure({ peers: [{ publicKey: b.publicKey, presharedKey: new Uint8Array(32).fill(1) }] });
  a.send(aToB());
  simulation.run(6000);
  assert.equal(b.received.length, 0);
  assert.ok(a.device.drops.handshakeRefused >= 1);
});

withEach(
  "a preshared key can change without dropping the session; the next handshake uses it",
  (crypto) => {
    const simulation = new Simulation(crypto);
    const { a, b } = pair(simulation);
    a.send(aToB(1));
    simulation.run(100);
    const presharedKey = new Uint8Array(32).fill(5);
    a.configure({ peers: [{ publicKey: b.publicKey, presharedKey }] });
    b.configure({ peers: [{ publicKey: a.publicKey, presharedKey }] });
    a.send(aToB(2));
    simulation.run(100);
    assert.equal(b.received.length, 2);
    assert.equal(typeCount(simulation, 1), 1);
    simulation.run(121_000);
    a.send(aToB(3));
    simulation.run(100);
    assert.equal(typeCount(simulation, 1), 2);
    assert.equal(a.count("handshake-completed"), 2);
    a.configure({ peers: [{ publicKey: b.publicKey, presharedKey: "none" }] });
    a.send(aToB(4));
    simulation.run(100);
    assert.deepEqual(b.received.at(-1), aToB(4));
  },
);

withEach("packets queue while the handshake is under way, in order and bounded", (crypto) => {
  const simulation = new Simulation(crypto);
  const { a, b } = pair(simulation);
  for (let number = 0; number < MAX_QUEUED_PACKETS + 10; number++) a.send(aToB(number));
  simulation.run(100);
  assert.equal(a.device.drops.queueFull, 10);
  assert.equal(b.received.length, MAX_QUEUED_PACKETS);
  assert.deepEqual(b.received[0], aToB(10));
});

withEach("initiations are repeated every 5 s with jitter, for 90 s, then given up", (crypto) => {
  const simulation = new Simulation(crypto);
  const { a } = pair(simulation);
  simulation.wire = () => [];
  const times: number[] = [];
  simulation.wire = () => {
    times.push(simulation.now);
    return [];
  };
  a.send(aToB());
  simulation.run(200_000);
  assert.equal(times.length, 19);
  const gaps = times.slice(1).map((time, index) => time - (times[index] ?? 0));
  assert.ok(gaps.every((gap) => gap >= 5000 && gap < 5334), String(gaps));
  assert.ok(new Set(gaps).size > 5, "jitter differs");
  assert.deepEqual(a.events.map((event) => event.kind), ["handshake-failed"]);
  const count = times.length;
  a.send(aToB());
  assert.equal(times.length, count + 1);
});

withEach("a session is renewed after 120 s by its initiator, without loss", (crypto) => {
  const simulation = new Simulation(crypto);
  const { a, b } = pair(simulation);
  let number = 0;
  for (let second = 0; second < 400; second++) {
    a.send(aToB(number++));
    simulation.run(500);
    b.send(bToA(number++));
    simulation.run(500);
  }
  assert.equal(b.received.length + a.received.length, 800);
  assert.equal(a.count("handshake-completed"), 4);
  assert.equal(typeCount(simulation, 1), 4);
});

withEach("an initiator that only receives renews before the session ends", (crypto) => {
  const simulation = new Simulation(crypto);
  const { a, b } = pair(simulation);
  a.send(aToB());
  simulation.run(1000);
  for (let second = 0; second < 170; second++) {
    b.send(bToA(second));
    simulation.run(1000);
  }
  assert.equal(a.received.length, 170);
  assert.equal(a.count("handshake-completed"), 2);
});

withEach("what comes in is answered by a keepalive after 10 s, unless data went out", (crypto) => {
  const simulation = new Simulation(crypto);
  const { a, b } = pair(simulation);
  a.send(aToB());
  simulation.run(9_900);
  assert.equal(simulation.sent.length, 3);
  simulation.run(200);
  assert.deepEqual(simulation.sent.at(-1)?.bytes.length, 32);
  assert.equal(simulation.sent.length, 4);
  const before = simulation.sent.length;
  for (let second = 0; second < 30; second++) {
    a.send(aToB(second));
    b.send(bToA(second));
    simulation.run(1000);
  }
  assert.equal(simulation.sent.length - before, 60, "an active tunnel needs no keepalive");
});

withEach("no answer for 15 s begins a new handshake", (crypto) => {
  const simulation = new Simulation(crypto);
  const { a } = pair(simulation);
  a.send(aToB());
  simulation.run(11_000);
  simulation.wire = () => [];
  a.send(aToB());
  simulation.run(14_900);
  assert.equal(typeCount(simulation, 1), 1);
  simulation.run(600);
  assert.equal(typeCount(simulation, 1), 2);
});

withEach("a persistent keepalive is sent in its interval, and at once when turned on", (crypto) => {
  const simulation = new Simulation(crypto);
  const { a, b } = pair(simulation);
  a.configure({ peers: [{ publicKey: b.publicKey, persistentKeepalive: 25 }] });
  simulation.run(100);
  assert.deepEqual(simulation.sent.map(({ bytes }) => bytes.length), [148, 92, 32]);
  simulation.run(75_500);
  assert.equal(simulation.sent.filter(({ bytes }) => bytes.length === 32).length, 4);
  a.configure({ peers: [{ publicKey: b.publicKey, persistentKeepalive: 0 }] });
  const before = simulation.sent.length;
  simulation.run(60_000);
  assert.equal(simulation.sent.length, before);
});

withEach("keys end: not sent with after 180 s, wiped after 540 s", (crypto) => {
  const simulation = new Simulation(crypto);
  const { a, b } = pair(simulation);
  const idle = a.pool.used;
  a.send(aToB());
  simulation.run(100);
  const slot = onlyPeer(a).current?.slot.bytes;
  assert.ok(slot !== undefined && slot.some((byte) => byte !== 0));
  assert.deepEqual(
    onlyPeer(a).current?.sendKey,
    onlyPeer(b).current?.receiveKey,
  );
  const received = b.received.length;
  simulation.run(181_000);
  simulation.wire = () => [];
  a.send(aToB(9));
  simulation.run(100);
  assert.equal(simulation.sent.at(-1)?.bytes[0], 1, "a handshake, not data");
  assert.equal(b.received.length, received);
  simulation.run(540_000 + 100_000);
  assert.equal(a.pool.used, idle);
  assert.equal(b.pool.used, idle);
  assert.ok(slot.every((byte) => byte === 0));
  assert.ok(a.memory.every((byte) => byte === 0));
  assert.equal(a.count("keys-expired") > 0, true);
});

withEach("data on an expired session is refused", (crypto) => {
  const simulation = new Simulation(crypto);
  const { a, b } = pair(simulation);
  a.send(aToB(1));
  simulation.run(100);
  simulation.wire = () => [];
  a.send(aToB(2));
  const late = simulation.sent.at(-1);
  assert.ok(late !== undefined);
  simulation.run(185_000);
  b.receive(late.bytes, a.endpoint);
  assert.equal(b.device.drops.expiredKey, 1);
  assert.equal(b.received.length, 1);
});

withEach(
  "roaming: the answer goes where the last authentic packet came from, not where a forged one did",
  (crypto) => {
    const simulation = new Simulation(crypto);
    const { a, b } = pair(simulation);
    a.send(aToB(1));
    simulation.run(100);
    const genuine = simulation.sent.at(-1)?.bytes.slice();
    assert.ok(genuine !== undefined);
    const elsewhere = a.endpoint.clone();
    elsewhere.words[0] = (4 << 16) | 4444;
    genuine[20] = (genuine[20] ?? 0) ^ 1;
    b.receive(genuine, elsewhere);
    assert.ok(onlyPeer(b).endpoint?.reaches(a.endpoint));
    a.endpoint = elsewhere;
    a.send(aToB(2));
    simulation.run(100);
    assert.ok(onlyPeer(b).endpoint?.reaches(elsewhere));
    b.send(bToA(3));
    simulation.run(100);
    assert.equal(a.received.length, 1);
    assert.equal(b.count("endpoint-changed"), 1);
  },
);

withEach(
  "an announcement begins a session, and after a move tells the peer with nothing to carry",
  (crypto) => {
    const simulation = new Simulation(crypto);
    const { a, b } = pair(simulation);
    a.device.announce(simulation.now);
    simulation.run(100);
    assert.equal(b.count("handshake-completed"), 1);
    const elsewhere = a.endpoint.clone();
    elsewhere.words[0] = (4 << 16) | 4444;
    a.endpoint = elsewhere;
    a.device.announce(simulation.now);
    simulation.run(100);
    assert.ok(onlyPeer(b).endpoint?.reaches(elsewhere));
    b.send(bToA(3));
    simulation.run(100);
    assert.deepEqual(a.received, [bToA(3)]);
    assert.deepEqual(b.received, []);
    assert.equal(typeCount(simulation, 1), 1, "no second handshake");
  },
);

withEach(
  "a wanted rekey renews a young session while it carries on, but not within 5 s of the last",
  (crypto) => {
    const simulation = new Simulation(crypto);
    const { a, b } = pair(simulation);
    a.send(aToB(1));
    simulation.run(100);
    a.device.rekey(simulation.now);
    simulation.run(100);
    assert.equal(typeCount(simulation, 1), 1, "the session is new already");

    simulation.run(5_000);
    const before = onlyPeer(a).current;
    a.device.rekey(simulation.now);
    a.send(aToB(2));
    assert.equal(onlyPeer(a).current, before, "the old session carries until the new one is there");
    simulation.run(100);
    assert.equal(typeCount(simulation, 1), 2);
    assert.notEqual(onlyPeer(a).current, before);
    assert.equal(onlyPeer(a).current?.initiator, true);
    a.send(aToB(3));
    b.send(bToA(4));
    simulation.run(100);
    assert.deepEqual(b.received, [aToB(1), aToB(2), aToB(3)]);
    assert.deepEqual(a.received, [bToA(4)]);
  },
);

withEach("a replayed data packet and a replayed initiation do nothing", (crypto) => {
  const simulation = new Simulation(crypto);
  const { a, b } = pair(simulation);
  a.send(aToB(1));
  simulation.run(100);
  const [initiation, , data] = simulation.sent;
  assert.ok(initiation !== undefined && data !== undefined);
  b.receive(data.bytes, data.from);
  assert.equal(b.device.drops.replayed, 1);
  assert.equal(b.received.length, 1);
  b.receive(initiation.bytes, initiation.from);
  assert.equal(b.device.drops.handshakeReplayed, 1);
  assert.equal(typeCount(simulation, 2), 1);
});

withEach("a forged packet far ahead doesn't move the replay window", (crypto) => {
  const simulation = new Simulation(crypto);
  const { a, b } = pair(simulation);
  a.send(aToB(1));
  simulation.run(100);
  const forged = simulation.sent.at(-1)?.bytes.slice();
  assert.ok(forged !== undefined);
  forged[10] = 255;
  b.receive(forged, a.endpoint);
  assert.equal(b.device.drops.authentication, 1);
  a.send(aToB(2));
  simulation.run(100);
  assert.equal(b.received.length, 2);
});

withEach("a source that the peer may not use is dropped and counted", (crypto) => {
  const simulation = new Simulation(crypto);
  const { a, b } = pair(simulation);
  a.send(ipv4Packet("10.0.0.77", B));
  simulation.run(100);
  assert.equal(b.received.length, 0);
  assert.equal(b.device.drops.notAllowed, 1);
  a.send(ipv4Packet(A, "10.9.9.9"));
  assert.equal(a.device.drops.noRoute, 1);
});

withEach("malformed datagrams of every length are counted and answered by nothing", (crypto) => {
  const simulation = new Simulation(crypto);
  const { b } = pair(simulation);
  const bytes = new Uint8Array(300);
  for (let length = 0; length < 300; length++) {
    for (let type = 0; type < 6; type++) {
      bytes[0] = type;
      b.receive(bytes.subarray(0, length), b.endpoint);
    }
  }
  const { malformed, badMac1, unknownIndex } = b.device.drops;
  assert.equal(malformed + badMac1 + unknownIndex, 300 * 6);
  assert.equal(badMac1, 2);
  assert.equal(simulation.sent.length, 0);
});

withEach(
  "under load a cookie is asked for, bound to address and port, and then accepted",
  (crypto) => {
    const simulation = new Simulation(crypto);
    const { a, b } = pair(simulation, { b: { loadLimit: 0 } });
    a.send(aToB(1));
    simulation.run(100);
    assert.equal(b.device.cookiesSent, 1);
    assert.equal(typeCount(simulation, 3), 1);
    assert.equal(b.received.length, 0);
    simulation.run(6000);
    assert.equal(b.received.length, 1, "the second initiation carries MAC2");
    const initiation = simulation.sent.filter(({ bytes }) => bytes[0] === 1).at(-1);
    assert.ok(initiation !== undefined);
    const otherPort = a.endpoint.clone();
    otherPort.words[0] = (4 << 16) | 1001;
    b.receive(initiation.bytes, otherPort);
    assert.equal(b.device.drops.badMac2, 2);
  },
);

withEach("a wrong MAC1 is dropped before anything is computed", (crypto) => {
  const simulation = new Simulation(crypto);
  const { a, b } = pair(simulation);
  simulation.wire = () => [];
  a.send(aToB(1));
  const initiation = simulation.sent[0]?.bytes.slice();
  assert.ok(initiation !== undefined);
  initiation[120] = (initiation[120] ?? 0) ^ 1;
  b.receive(initiation, a.endpoint);
  assert.equal(b.device.drops.badMac1, 1);
});

withEach("both sides may begin at once", (crypto) => {
  const simulation = new Simulation(crypto);
  const { a, b } = pair(simulation);
  a.send(aToB(1));
  b.send(bToA(2));
  simulation.run(15_000);
  a.send(aToB(3));
  b.send(bToA(4));
  simulation.run(1000);
  assert.equal(a.received.length, 2);
  assert.equal(b.received.length, 2);
});

withEach("the wall clock may step back: the peer still answers", (crypto) => {
  const simulation = new Simulation(crypto);
  const { a, b } = pair(simulation);
  a.send(aToB(1));
  simulation.run(100);
  simulation.wallClock -= 86_400_000;
  simulation.run(185_000);
  a.send(aToB(2));
  simulation.run(1000);
  assert.equal(b.received.length, 2);
});

withEach("another private key: sessions stop sending, a new handshake follows", (crypto) => {
  const simulation = new Simulation(crypto);
  const { a, b } = pair(simulation);
  a.send(aToB(1));
  simulation.run(100);
  const oldPublicKey = a.publicKey.slice();
  simulation.random(a.privateKey);
  crypto.publicKey(a.publicKey, a.privateKey);
  a.configure({ identity: { kind: "local", privateKey: a.privateKey.slice() } });
  b.configure({ peers: [{ publicKey: oldPublicKey, remove: true }] });
  b.knows(a, [ipv4(A), 32]);
  a.send(aToB(2));
  simulation.run(200);
  assert.deepEqual(b.received.at(-1), aToB(2));
});

withEach("one's own key as a peer is passed over", (crypto) => {
  const simulation = new Simulation(crypto);
  const a = simulation.node("192.0.2.1:1000");
  a.knows(a, [ipv4(B), 32]);
  assert.equal(a.device.peers.size, 0);
});

withEach("a peer of low order is never handshaken with", (crypto) => {
  const simulation = new Simulation(crypto);
  const a = simulation.node("192.0.2.1:1000");
  a.configure({
    peers: [{
      publicKey: new Uint8Array(32),
      endpoint: a.endpoint,
      allowedIps: [{ family: 4, words: [0], length: 0 }],
    }],
  });
  a.send(aToB());
  assert.equal(simulation.sent.length, 0);
  assert.equal(a.device.drops.handshakeRefused, 1);
});

withEach("padding: to 16, but not beyond the MTU", (crypto) => {
  const simulation = new Simulation(crypto);
  const { a } = pair(simulation);
  a.send(aToB(0, 40));
  simulation.run(100);
  for (const length of [33, 1400, 1409, 1420]) a.send(aToB(0, length));
  assert.deepEqual(
    simulation.sent.slice(-4).map(({ bytes }) => bytes.length - 32),
    [48, 1408, 1420, 1420],
  );
});

withEach("a card: the handshake waits for each answer, data goes on meanwhile", (crypto) => {
  const simulation = new Simulation(crypto);
  const { a, b } = pair(simulation, { a: { remote: true } });
  a.send(aToB(1));
  assert.equal(simulation.sent.length, 0);
  assert.deepEqual(a.dhRequests.map(({ peerPublicKey }) => peerPublicKey), [b.publicKey]);
  simulation.run(300);
  a.answerDh();
  simulation.run(300);
  a.answerDh();
  simulation.run(10);
  assert.equal(b.received.length, 1);
  simulation.run(121_000);
  a.send(aToB(2));
  for (let number = 3; number < 20; number++) {
    a.send(aToB(number));
    b.send(bToA(number));
    simulation.run(20);
  }
  assert.equal(b.received.length, 19);
  assert.equal(a.received.length, 17);
  a.answerDh();
  simulation.run(10);
  a.answerDh();
  simulation.run(10);
  assert.equal(a.count("handshake-completed"), 2);
});

withEach("a card as responder: two answers, then the session", (crypto) => {
  const simulation = new Simulation(crypto);
  const { a, b } = pair(simulation, { b: { remote: true } });
  a.send(aToB(1));
  simulation.run(10);
  b.answerDh();
  b.answerDh();
  simulation.run(10);
  assert.equal(b.received.length, 1);
});

withEach("a card that fails or says nothing: reported, tried again", (crypto) => {
  const simulation = new Simulation(crypto);
  const { a, b } = pair(simulation, { a: { remote: true } });
  a.send(aToB(1));
  a.answerDh(true);
  assert.equal(a.count("handshake-failed"), 1);
  simulation.run(5400);
  assert.equal(a.dhRequests.length, 1, "asked again");
  a.dhRequests.splice(0);
  simulation.run(5100);
  assert.equal(a.count("handshake-failed"), 2, "no answer is a failure too");
  simulation.run(5400);
  a.answerDh();
  simulation.run(10);
  a.answerDh();
  simulation.run(10);
  assert.equal(b.received.length, 1);
});

withEach(
  "many strangers at a card: few wait, the rest gets cookies, our own handshake goes first",
  (crypto) => {
    const simulation = new Simulation(crypto);
    const { a, b } = pair(simulation, { b: { remote: true } });
    for (let number = 0; number < 40; number++) {
      const stranger = simulation.node(`198.51.100.${number}:1000`);
      stranger.knows(b, [ipv4(B), 32]);
      stranger.send(aToB());
    }
    simulation.run(10);
    b.send(bToA(1));
    assert.equal(b.dhRequests.length, 1);
    assert.equal(b.device.cookiesSent, 35);
    assert.equal(b.device.underLoad, true);
    assert.ok(b.pool.used <= 2 + 2 * 6);
    b.answerDh();
    assert.deepEqual(b.dhRequests[0]?.peerPublicKey, a.publicKey);
  },
);

withEach("without key memory a handshake fails, is counted and leaves nothing", (crypto) => {
  const simulation = new Simulation(crypto);
  const { a, b } = pair(simulation, { b: { slots: 4 } });
  a.send(aToB(1));
  simulation.run(100);
  assert.equal(b.device.drops.noKeyMemory, 1);
  assert.equal(b.pool.used, 2);
});

withEach("removing the peer and closing wipe every key", (crypto) => {
  const simulation = new Simulation(crypto);
  const { a, b } = pair(simulation);
  a.send(aToB(1));
  simulation.run(100);
  assert.ok(a.memory.some((byte) => byte !== 0));
  a.configure({ peers: [{ publicKey: b.publicKey, remove: true }] });
  assert.ok(a.memory.every((byte) => byte === 0));
  b.device.close();
  assert.ok(b.memory.every((byte) => byte === 0));
  assert.equal(a.device.nextDeadline(), Infinity);
});

withEach(
  "a bad wire (30 % lost, doubled, reordered): no packet twice, always converging",
  (crypto) => {
    for (let seed = 1; seed <= 5; seed++) {
      const simulation = new Simulation(crypto, seed * 7919);
      const { a, b } = pair(simulation);
      const random = () => simulation.randomBelow(100);
      simulation.wire = () => {
        if (random() < 30) return [];
        const delays = [1 + random()];
        if (random() < 20) delays.push(1 + random() * 5);
        return delays;
      };
      for (let number = 0; number < 3000; number++) {
        if (random() < 50) a.send(aToB(number));
        else b.send(bToA(number));
        simulation.run(random() * 4);
        if (random() === 0) simulation.run(130_000);
      }
      for (const { received } of [a, b]) {
        const numbers = received.map((packet) => new DataView(packet.buffer).getUint32(20));
        assert.equal(new Set(numbers).size, numbers.length, "never a plaintext twice");
        assert.ok(numbers.length > 500);
      }
      const nonces = simulation.sent.filter(({ bytes }) => bytes[0] === 4)
        .map(({ bytes }) => bytes.subarray(4, 16).toHex());
      assert.equal(new Set(nonces).size, nonces.length, "never a nonce twice");
      simulation.wire = () => [1];
      const before = b.received.length;
      simulation.run(6000);
      a.send(aToB(999_999));
      simulation.run(6000);
      assert.ok(b.received.length > before, "converges");
    }
  },
);
