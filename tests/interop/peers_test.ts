/** Many peers, many addresses, peers that are odd, and addresses that change hands. */
import assert from "node:assert/strict";
import vectors from "../vectors/wireguard_crypto.json" with { type: "json" };
import { Lab } from "../lab/lab.ts";
import type { Machine } from "../lab/machine.ts";
import { labTest } from "../lab/needs.ts";
import { pair, until, WireguardEnd } from "./wireguard.ts";

const MANY_PREFIXES = 100_000;
const MANY_PEERS = 1000;

/** Bytes that a process holds in memory. */
function resident(pid: number): number {
  const text = Deno.readTextFileSync(`/proc/${pid}/status`);
  return Number(/VmRSS:\s+(\d+)/.exec(text)?.[1] ?? NaN) * 1024;
}

const lost = async (machine: Machine, address: string) =>
  (await machine.run(["ping", "-c", "1", "-W", "1", address])).code !== 0;

const randomKey = () => crypto.getRandomValues(new Uint8Array(32)).toBase64();

labTest("allowed IPs overlap and move between peers: the longest wins, both ways", async () => {
  await using lab = await Lab.open();
  const { a, b } = await pair(lab, { a: "ours", b: "wireguard-go" });
  const machine = await lab.machine("c");
  await lab.link(a.machine, "eth1", machine, "eth0");
  await a.machine.sh("ip addr add 198.51.100.1/24 dev eth1");
  await machine.sh("ip addr add 198.51.100.3/24 dev eth0");
  const c = await WireguardEnd.start(machine, { implementation: "wireguard-go" });
  await c.address("10.7.0.3/24");
  await a.machine.sh("ip route add 10.8.0.0/16 dev wg0");
  for (const end of [b, c]) {
    await end.machine.sh("for n in 1 2; do ip addr add 10.8.$n.5/32 dev lo; done");
  }
  await a.peer(b.keys, "allowed-ips 10.7.0.2/32,10.8.0.0/16");
  await a.peer(c.keys, "endpoint 198.51.100.3:51820 allowed-ips 10.7.0.3/32,10.8.1.0/24");
  await c.peer(a.keys, "allowed-ips 10.7.0.1/32");
  const received = async (end: WireguardEnd) => Number((await end.show("transfer"))[0]);
  /** Which of the two got a ping of 1,000 bytes. */
  const takes = async (address: string) => {
    const before = [await received(b), await received(c)];
    assert.ok(await a.ping(address, { size: 1000 }), address);
    const grown = [await received(b) - (before[0] ?? 0), await received(c) - (before[1] ?? 0)];
    return (grown[0] ?? 0) > 1000 ? "b" : (grown[1] ?? 0) > 1000 ? "c" : "nobody";
  };
  assert.equal(await takes("10.8.1.5"), "c");
  assert.equal(await takes("10.8.2.5"), "b");
  // c may not speak from an address that is b's.
  assert.ok(
    (await c.machine.run(["ping", "-c", "1", "-W", "1", "-I", "10.8.2.5", "10.7.0.1"])).code,
  );
  await a.peer(b.keys, "allowed-ips 10.7.0.2/32,10.8.0.0/16,10.8.1.0/24");
  assert.equal(await takes("10.8.1.5"), "b");
  assert.match(await a.machine.sh("wg show wg0 allowed-ips"), /\t10\.7\.0\.3\/32$/m, "c lost it");
  await a.peer(c.keys, "allowed-ips 10.7.0.3/32,10.8.0.0/16,10.8.2.5/32");
  assert.equal(await takes("10.8.2.5"), "c");
  assert.equal(await takes("10.8.1.5"), "b");
  await a.machine.sh(`wg set wg0 peer ${b.keys.publicKey} remove`);
  assert.equal(await takes("10.8.1.5"), "c", "what was under the longer one comes to light");
});

labTest("100,000 allowed IPs: set, looked up, shown and taken away in bounded time", async () => {
  await using lab = await Lab.open();
  const { a, b } = await pair(lab, { a: "ours", b: "wireguard-go" });
  const privateKey = a.keys.privateKey;
  const file = `${lab.dir}/many.conf`;
  const half = MANY_PREFIXES / 2;
  const four = Array.from(
    { length: half },
    (_, n) => `10.${100 + (n >> 16)}.${n >> 8 & 255}.${n & 255}/32`,
  );
  const six = Array.from({ length: half }, (_, n) => `fd08::${(n + 1).toString(16)}/128`);
  const lines = [...four, ...six].map((prefix) => `AllowedIPs = ${prefix}`).join("\n");
  await Deno.writeTextFile(
    file,
    `[Interface]\nPrivateKey = ${privateKey}\nListenPort = 51820\n[Peer]\n` +
      `PublicKey = ${b.keys.publicKey}\nEndpoint = 192.0.2.2:51820\n${lines}\n`,
  );
  await b.machine.sh("ip addr add 10.100.195.79/32 dev lo; ip addr add fd08::c350/128 dev lo");
  const before = resident(a.process.pid);
  const began = performance.now();
  await a.machine.sh(`wg setconf wg0 ${file}`);
  const setTime = performance.now() - began;
  const shown = await a.machine.sh("wg show wg0 allowed-ips");
  const showTime = performance.now() - began - setTime;
  assert.equal(shown.trim().split(/\s+/).length, MANY_PREFIXES + 1);
  await a.machine.sh(`
    ip route add 10.100.0.0/16 dev wg0; ip -6 route add fd08::/16 dev wg0
    ip addr add 10.100.0.1/32 dev lo`);
  assert.ok(await a.ping("10.100.195.79", { count: 5 }));
  assert.ok(await a.ping("fd08::c350", { count: 5 }));
  const grown = resident(a.process.pid) - before;
  console.log(
    `${MANY_PREFIXES} allowed IPs: set in ${setTime.toFixed(0)} ms, ` +
      `shown in ${showTime.toFixed(0)} ms, ${(grown / 1e6).toFixed(0)} MB`,
  );
  // Generous: a table that takes squared time would need hours.
  assert.ok(setTime < 60_000 && showTime < 60_000);
  assert.ok(grown < 400e6, `${grown} bytes`);
  await a.machine.sh(`wg set wg0 peer ${b.keys.publicKey} allowed-ips 10.7.0.2/32`);
  assert.match(await a.machine.sh("wg show wg0 allowed-ips"), /^\S+\t10\.7\.0\.2\/32\n$/);
  assert.ok(await a.ping("10.7.0.2"));
});

labTest(
  "1,000 peers, each with keys and addresses: all there, and the last one works",
  async () => {
    await using lab = await Lab.open();
    const { a, b } = await pair(lab, { a: "wireguard-go", b: "ours" });
    const peers = Array.from(
      { length: MANY_PEERS },
      (_, n) =>
        `[Peer]\nPublicKey = ${randomKey()}\nPresharedKey = ${randomKey()}\n` +
        `AllowedIPs = 10.9.${n >> 8}.${n & 255}/32, fd09::${n.toString(16)}/128\n`,
    );
    const file = `${lab.dir}/peers.conf`;
    await Deno.writeTextFile(file, peers.join(""));
    const began = performance.now();
    await b.machine.sh(`wg addconf wg0 ${file}`);
    console.log(`${MANY_PEERS} peers set in ${(performance.now() - began).toFixed(0)} ms`);
    const shown = (await b.machine.sh("wg show wg0 peers")).trim().split("\n");
    assert.equal(shown.length, MANY_PEERS + 1);
    const keys = (await b.machine.sh("wg show wg0 preshared-keys")).trim().split("\n");
    assert.equal(
      keys.filter((line) => !line.endsWith("(none)")).length,
      MANY_PEERS,
    );
    assert.ok(await a.ping("10.7.0.2", { count: 3 }));
    // The whole again with one peer: the others go, and this one keeps its session.
    const [before] = await a.show("latest-handshakes");
    const one = `[Interface]\nPrivateKey = ${b.keys.privateKey}\nListenPort = 51820\n[Peer]\n` +
      `PublicKey = ${a.keys.publicKey}\nAllowedIPs = 10.7.0.1/32\n`;
    await Deno.writeTextFile(file, one);
    await b.machine.sh(`wg syncconf wg0 ${file}`);
    assert.deepEqual((await b.machine.sh("wg show wg0 peers")).trim(), a.keys.publicKey);
    assert.ok(await a.ping("10.7.0.2", { count: 3 }));
    assert.deepEqual(await a.show("latest-handshakes"), [before], "the session went on");
  },
);

labTest("a peer with our own key is passed over; one whose key becomes ours goes", async () => {
  await using lab = await Lab.open();
  const { a, b } = await pair(lab, { a: "ours", b: "wireguard-go" });
  await a.peer(a.keys, "endpoint 192.0.2.1:51820 allowed-ips 10.9.0.0/16");
  assert.equal((await a.machine.sh("wg show wg0 peers")).trim(), b.keys.publicKey);
  assert.ok(await a.ping("10.7.0.2", { count: 2 }));
  await a.machine.run(["bash", "-c", "wg set wg0 private-key <(cat)"], {
    input: b.keys.privateKey,
  });
  assert.equal((await a.machine.sh("wg show wg0 peers")).trim(), "");
  assert.ok(await lost(a.machine, "10.7.0.2"));
  await a.machine.run(["bash", "-c", "wg set wg0 private-key <(cat)"], {
    input: a.keys.privateKey,
  });
  await a.peer(b.keys, "endpoint 192.0.2.2:51820 allowed-ips 10.7.0.2/32");
  await until("the session with the first key again", () => a.ping("10.7.0.2"));
});

labTest("peers whose keys are points of low order get nothing, and disturb nobody", async () => {
  await using lab = await Lab.open();
  const { a } = await pair(lab, { a: "ours", b: "wireguard-go" });
  for (const [index, hex] of vectors.x25519LowOrder.publicKeys.entries()) {
    const key = Uint8Array.fromHex(hex).toBase64();
    const place = `endpoint 192.0.2.2:51820 allowed-ips 10.9.${index}.0/24 persistent-keepalive 1`;
    await a.machine.sh(`wg set wg0 peer ${key} ${place}`);
  }
  await a.machine.sh("ip route add 10.9.0.0/16 dev wg0");
  assert.ok(await lost(a.machine, "10.9.0.1"));
  assert.ok(await a.ping("10.7.0.2", { count: 3 }));
  const handshakes = (await a.machine.sh("wg show wg0 latest-handshakes")).trim().split("\n");
  assert.equal(handshakes.length, vectors.x25519LowOrder.publicKeys.length + 1);
  assert.equal(handshakes.filter((line) => line.endsWith("\t0")).length, 7);
});
