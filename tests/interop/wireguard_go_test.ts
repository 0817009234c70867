/** Our tunnel against the stock peers, in user space and in the kernel, over a wire in the lab, set up with the stock `wg`. */
import assert from "node:assert/strict";
import { Lab } from "../lab/lab.ts";
import { labTest } from "../lab/needs.ts";
import {
  endsTest,
  fetchedSum,
  newKeys,
  ourProcesses,
  OURS,
  pair,
  transfersOf,
  twoMachines,
  until,
  WireguardEnd,
} from "./wireguard.ts";

const COMBINATIONS = [
  { a: "ours", b: "wireguard-go" },
  { a: "wireguard-go", b: "ours" },
  { a: "ours", b: "ours" },
  { a: "ours-portable", b: "wireguard-go" },
  { a: "ours", b: "wireguard-go-newest" },
  { a: "wireguard-go-newest", b: "ours" },
  { a: "ours", b: "kernel" },
  { a: "kernel", b: "ours" },
] as const;

for (const { a: from, b: to } of COMBINATIONS) {
  for (const outside of [4, 6] as const) {
    endsTest(
      [from, to],
      `${from} calls ${to} over IPv${outside}: IPv4 and IPv6 inside, counters agree`,
      async () => {
        await using lab = await Lab.open();
        const { a, b } = await pair(lab, { a: from, b: to, outside });
        for (const size of [0, 1, 56, 1300]) {
          assert.ok(await a.ping("10.7.0.2", { count: 2, size }), `IPv4, ${size} bytes`);
          assert.ok(await a.ping("fd07::2", { count: 2, size }), `IPv6, ${size} bytes`);
        }
        assert.ok(await b.ping("10.7.0.1", { count: 5 }));
        const { aReceived, aSent, bReceived, bSent } = await transfersOf({ a, b });
        assert.deepEqual([aReceived, aSent], [bSent, bReceived]);
        for (const end of [a, b]) {
          const [at] = await end.show("latest-handshakes");
          assert.ok(Math.abs(Number(at) - Date.now() / 1000) < 60);
        }
        const [endpoint] = await b.show("endpoints");
        assert.equal(endpoint, outside === 4 ? "192.0.2.1:51820" : "[2001:db8::1]:51820");
      },
    );
  }

  endsTest(
    [from, to],
    `${from} and ${to}: a preshared key is needed once set; setting it keeps the session`,
    async () => {
      await using lab = await Lab.open();
      const { a, b } = await pair(lab, { a: from, b: to });
      assert.ok(await a.ping("10.7.0.2"));
      const presharedKey = (await a.machine.sh("wg genpsk")).trim();
      const set = async (end: WireguardEnd, other: WireguardEnd, key: string) => {
        const { publicKey } = other.keys;
        const { code } = await end.machine.run(
          ["bash", "-c", `wg set wg0 peer ${publicKey} preshared-key <(cat)`],
          { input: key },
        );
        assert.equal(code, 0);
      };
      await set(a, b, presharedKey);
      await set(b, a, presharedKey);
      const [before] = await a.show("latest-handshakes");
      const keepsSession = async (what: string) => {
        assert.ok(await a.ping("10.7.0.2", { count: 3 }), what);
        assert.deepEqual(await a.show("latest-handshakes"), [before], what);
      };
      await keepsSession("set");
      // wg takes a key of zeros for none.
      const removed = new Uint8Array(32).toBase64();
      const others = { changed: (await a.machine.sh("wg genpsk")).trim(), removed };
      for (const [what, key] of Object.entries(others)) {
        await set(a, b, key);
        await set(b, a, key);
        await keepsSession(what);
      }
      await set(a, b, presharedKey);
      await set(b, a, presharedKey);
      await keepsSession("set again");
      assert.match(
        await a.machine.sh("wg show wg0 preshared-keys"),
        new RegExp(`\t${RegExp.escape(presharedKey)}\n`),
      );
      // Taking the peer away and back forgets the session: the next handshake needs the key.
      await a.machine.sh(`wg set wg0 peer ${b.keys.publicKey} remove`);
      await a.peer(b.keys, "endpoint 192.0.2.2:51820 allowed-ips 10.7.0.2/32");
      const { code } = await a.machine.run(["ping", "-c", "1", "-W", "1", "10.7.0.2"]);
      assert.notEqual(code, 0);
      await set(a, b, presharedKey);
      await until("a session with the preshared key", () => a.ping("10.7.0.2"));
    },
  );

  endsTest(
    [from, to],
    `${from} and ${to}: either side moves to another address and port, the tunnel goes on`,
    async () => {
      await using lab = await Lab.open();
      const { a, b } = await pair(lab, { a: from, b: to });
      assert.ok(await a.ping("10.7.0.2"));
      await a.machine.sh("ip addr add 192.0.2.11/24 dev eth0; ip addr del 192.0.2.1/24 dev eth0");
      await a.machine.sh("ip addr add 192.0.2.11/24 dev eth0 2>/dev/null || true");
      await until("a after its move", () => a.ping("10.7.0.2"));
      assert.deepEqual(await b.show("endpoints"), ["192.0.2.11:51820"]);
      await a.machine.sh("wg set wg0 listen-port 40001");
      assert.ok(await a.ping("10.7.0.2", { count: 3 }));
      assert.deepEqual(await b.show("endpoints"), ["192.0.2.11:40001"]);
      await b.machine.sh("wg set wg0 listen-port 40002");
      assert.ok(await b.ping("10.7.0.1", { count: 3 }));
      assert.deepEqual(await a.show("endpoints"), ["192.0.2.2:40002"]);
    },
  );

  endsTest([from, to], `${from} and ${to}: 50 MB each way arrive unchanged`, async () => {
    await using lab = await Lab.open();
    const { a, b } = await pair(lab, { a: from, b: to });
    assert.ok(await a.ping("10.7.0.2"), "so that b knows where a is");
    const file = `${lab.dir}/bulk`;
    await a.machine.sh(`head -c 50000000 /dev/urandom > ${file}`);
    const [sum] = (await a.machine.sh(`sha256sum ${file}`)).split(" ");
    const legs = [
      { server: a.machine, client: b.machine, address: "10.7.0.1" },
      { server: b.machine, client: a.machine, address: "fd07::2" },
    ];
    for (const leg of legs) assert.equal(await fetchedSum({ ...leg, file }), sum);
  });

  endsTest([from, to], `${from} and ${to}: another private key under way`, async () => {
    await using lab = await Lab.open();
    const { a, b } = await pair(lab, { a: from, b: to });
    assert.ok(await a.ping("10.7.0.2"));
    const keys = await newKeys(a.machine);
    await a.machine.run(["bash", "-c", "wg set wg0 private-key <(cat)"], {
      input: keys.privateKey,
    });
    await b.machine.sh(`wg set wg0 peer ${a.keys.publicKey} remove`);
    await b.peer(keys, "allowed-ips 10.7.0.1/32,fd07::1/128");
    await until("a session with the new key", () => a.ping("10.7.0.2"));
    assert.equal((await a.machine.sh("wg show wg0 public-key")).trim(), keys.publicKey);
  });
}

/** What a UDP datagram carries over IPv4, less WireGuard's 32 bytes; and the least that IPv4 has. */
const MOST_MTU = 65_475;
const LEAST_MTU = 68;
const MTUS = [
  { mtu: 1280, b: "wireguard-go" },
  { mtu: 9000, b: "wireguard-go" },
  // The stock one takes none that are larger.
  { mtu: 65_300, b: "wireguard-go" },
  { mtu: MOST_MTU, b: "ours" },
] as const;

for (const { mtu, b: other } of MTUS) {
  labTest(`ours and ${other}: an MTU of ${mtu}, in packets that fill it`, async () => {
    await using lab = await Lab.open();
    const { a, b } = await pair(lab, { a: "ours", b: other, mtu });
    assert.ok(await a.ping("10.7.0.2", { count: 2, size: mtu - 28 }));
    assert.ok(await b.ping("fd07::1", { count: 2, size: mtu - 48 }));
  });
}

labTest("ours and wireguard-go: the smallest MTU, whole packets and fragments", async () => {
  await using lab = await Lab.open();
  const machines = await twoMachines(lab);
  const a = await WireguardEnd.start(machines.a, { implementation: "ours", mtu: LEAST_MTU });
  const b = await WireguardEnd.start(machines.b, { implementation: "wireguard-go" });
  await a.address("10.7.0.1/24");
  await b.address("10.7.0.2/24");
  await a.peer(b.keys, "endpoint 192.0.2.2:51820 allowed-ips 10.7.0.2/32");
  await b.peer(a.keys, "allowed-ips 10.7.0.1/32");
  for (const size of [0, 1, LEAST_MTU - 28, 500]) {
    assert.ok(await a.ping("10.7.0.2", { size }), `${size} bytes`);
  }
});

labTest("a packet larger than UDP carries is dropped, and the tunnel goes on", async () => {
  await using lab = await Lab.open();
  const { a, b } = await pair(lab, { a: "ours", b: "ours", mtu: 65_535 });
  assert.ok(await a.ping("10.7.0.2", { size: 60_000 }));
  const words = ["ping", "-c", "2", "-i", "0.1", "-W", "1", "-M", "do", "-s", "65507", "10.7.0.2"];
  assert.notEqual((await a.machine.run(words)).code, 0);
  assert.ok(await a.ping("10.7.0.2", { count: 2, size: 60_000 }));
  assert.ok(await b.ping("10.7.0.1", { count: 2 }));
});

labTest("garbage, truncated and oversized datagrams change nothing", async () => {
  await using lab = await Lab.open();
  const { a, b } = await pair(lab, { a: "wireguard-go", b: "ours" });
  assert.ok(await a.ping("10.7.0.2"));
  const [before] = await b.show("transfer");
  await a.machine.sh(String.raw`
    to=/dev/udp/192.0.2.2/51820
    kinds='00 01 02 03 04 05 ff'
    zeros=
    for byte in {1..1472}; do zeros+='\0'; done
    for length in {1..200} 1472; do
      for kind in $kinds; do printf "\x$kind${"${zeros:0:2*(length-1)}"}" > $to; done
    done
    for length in 9000 65507; do
      for kind in $kinds; do
        { printf "\x$kind"; head -c $((length - 1)) /dev/zero; } |
          dd bs=65507 count=1 iflag=fullblock status=none > $to
      done
    done`);
  const [after] = await b.show("transfer");
  // At most keepalives count.
  assert.ok(Number(after) - Number(before) <= 96, `${before} bytes, then ${after}`);
  assert.ok(await a.ping("10.7.0.2", { count: 5 }));
});

labTest("the interface deleted: the process ends with 0, and its socket is gone", async () => {
  await using lab = await Lab.open();
  const machine = await lab.machine("a");
  const end = await WireguardEnd.start(machine, { implementation: "ours" });
  await machine.sh("ip link del wg0");
  assert.equal((await end.process.status).code, 0);
  assert.equal((await machine.run(["ls", "/var/run/wireguard/wg0.sock"])).code, 2);
});

labTest("its socket removed: the process ends with 0, and the interface is gone", async () => {
  await using lab = await Lab.open();
  const machine = await lab.machine("a");
  const end = await WireguardEnd.start(machine, { implementation: "ours" });
  await machine.sh("rm /var/run/wireguard/wg0.sock");
  assert.equal((await end.process.status).code, 0);
  assert.notEqual((await machine.run(["ip", "link", "show", "wg0"])).code, 0);
});

labTest("a second instance of the same name refuses with one line", async () => {
  await using lab = await Lab.open();
  const machine = await lab.machine("a");
  await WireguardEnd.start(machine, { implementation: "ours" });
  for (const more of [["--foreground"], []]) {
    const { code, stderr } = await machine.run([...OURS, "wg0", ...more]);
    assert.equal(code, 1);
    assert.match(stderr, /^Cannot open interface wg0: .*\n$/);
  }
  assert.equal((await machine.run(["wg", "show", "wg0"])).code, 0);
});

labTest(
  "in the background: the command ends when the socket is there; SIGTERM ends the tunnel",
  async () => {
    await using lab = await Lab.open();
    const machine = await lab.machine("a");
    const { code } = await machine.run([...OURS, "wg0"]);
    assert.equal(code, 0);
    assert.match(await machine.sh("wg show wg0"), /interface: wg0/);
    const [pid] = ourProcesses(machine);
    assert.ok(pid !== undefined);
    Deno.kill(pid, "SIGTERM");
    await until(
      "the end of the interface",
      async () => (await machine.run(["ip", "link", "show", "wg0"])).code !== 0,
    );
  },
);

labTest("the interface moved to another namespace goes on", async () => {
  await using lab = await Lab.open();
  const { a, b } = await pair(lab, { a: "ours", b: "wireguard-go" });
  assert.ok(await a.ping("10.7.0.2"));
  await a.machine.sh(`
    ip netns add inner; ip link set wg0 netns inner
    ip -n inner addr add 10.7.0.1/24 dev wg0; ip -n inner link set wg0 up
    ip netns exec inner ping -c 1 -W 20 10.7.0.2; ip -n inner link del wg0`);
  assert.ok(await b.machine.sh("wg show wg0 latest-handshakes"));
  assert.equal((await a.process.status).code, 0);
});
