import assert from "node:assert/strict";
import type { Crypto, PrivateKey } from "./crypto.ts";
import { nobleCrypto } from "./noble.ts";
import { ipv4, ipv4Packet, type Node, Simulation } from "./simulation.ts";

/** Counts the Diffie-Hellmans with each public key. */
class Counting {
  readonly #counts = new Map<string, number>();
  readonly crypto: Crypto = {
    ...nobleCrypto,
    privateKey: (bytes) => this.#counted(nobleCrypto.privateKey(bytes), bytes),
  };

  /** How often both keys were brought together, by whichever side. */
  of(a: Node, b: Node): number {
    return (this.#counts.get(name(a.privateKey, b.publicKey)) ?? 0) +
      (this.#counts.get(name(b.privateKey, a.publicKey)) ?? 0);
  }

  #counted(key: PrivateKey, privateKey: Uint8Array): PrivateKey {
    return {
      publicKey: (out) => key.publicKey(out),
      dh: (out, publicKey) => {
        const both = name(privateKey, publicKey);
        this.#counts.set(both, (this.#counts.get(both) ?? 0) + 1);
        return key.dh(out, publicKey);
      },
      release: () => key.release(),
    };
  }
}

Deno.test("both static keys are brought together once, until a key changes or the peer goes", () => {
  const counting = new Counting();
  const simulation = new Simulation(counting.crypto);
  const a = simulation.node("192.0.2.1:1000");
  const b = simulation.node("192.0.2.2:2000");
  const idle = b.pool.used;
  a.knows(b, [ipv4("10.0.0.2"), 32]);
  b.knows(a, [ipv4("10.0.0.1"), 32]);
  const exchange = (number: number) => {
    const before = b.count("handshake-completed");
    a.device.rekey(simulation.now);
    simulation.run(6_000);
    const packet = ipv4Packet("10.0.0.1", "10.0.0.2", { number, length: 100 });
    a.send(packet);
    simulation.run(100);
    assert.deepEqual(b.received.at(-1), packet);
    assert.ok(b.count("handshake-completed") > before, "it was a new handshake");
  };
  exchange(1);
  assert.equal(counting.of(a, b), 2, "once on each side");
  exchange(2);
  exchange(3);
  assert.equal(counting.of(a, b), 2);
  const [secretOfB, secretOfA] = [b, a].map((node) =>
    [...node.device.peers.values()][0]?.staticSecret?.bytes
  );
  assert.ok(secretOfB?.some((byte) => byte !== 0));
  assert.deepEqual(secretOfB, secretOfA);

  // The same key again is no change; another one is.
  b.configure({ identity: { kind: "local", privateKey: b.privateKey.slice() } });
  exchange(4);
  assert.equal(counting.of(a, b), 2);
  b.configure({ identity: { kind: "none" } });
  assert.ok(secretOfB?.every((byte) => byte === 0), "wiped with the key");
  b.configure({ identity: { kind: "local", privateKey: b.privateKey.slice() } });
  exchange(5);
  assert.equal(counting.of(a, b), 3, "computed anew at b");

  const again = [...b.device.peers.values()][0]?.staticSecret?.bytes;
  assert.ok(again?.some((byte) => byte !== 0));
  b.device.configure({ peers: [{ publicKey: a.publicKey, remove: true }] }, simulation.now);
  assert.ok(again?.every((byte) => byte === 0), "wiped with the peer");
  assert.equal(b.pool.used, idle);
});

function name(privateKey: Uint8Array, publicKey: Uint8Array): string {
  return `${privateKey.toHex()} ${publicKey.toHex()}`;
}
