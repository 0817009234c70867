/** The tunnel as the engine and the hub use it, against the stock peer. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import type { DeviceStatus } from "../../tunnel/api.ts";
import { Lab } from "../lab/lab.ts";
import type { Machine } from "../lab/machine.ts";
import { labTest } from "../lab/needs.ts";
import { withPeer } from "./api_process.ts";
import { endsTest, fetchedSum, until, untilBound } from "./wireguard.ts";

const PINGS = 50;

const pinged = async (machine: Machine, address: string) =>
  (await machine.run(["ping", "-c", "1", "-W", "20", address])).code === 0;

interface Closed {
  readonly wiped: boolean;
  readonly reason: unknown;
}

interface Keys {
  readonly used: boolean;
  readonly asked: number;
  readonly mostAtOnce: number;
}

labTest(
  "session keys are in the given memory while it is up, and nowhere in it after",
  async () => {
    await using lab = await Lab.open();
    const { end, machine } = await withPeer(lab, ["local"]);
    assert.equal((await end.ask<Keys>("keys")).used, false);
    assert.ok(await pinged(machine, "10.7.0.2"));
    assert.equal((await end.ask<Keys>("keys")).used, true);
    const status = await end.ask<DeviceStatus>("status");
    assert.equal(status.peers[0]?.sessionAlive, true);
    const closed = await end.ask<Closed>("close");
    assert.deepEqual(closed.reason, { kind: "closed" });
    assert.ok(closed.wiped);
    assert.notEqual((await machine.run(["ip", "link", "show", "wg0"])).code, 0);
  },
);

for (const implementation of ["wireguard-go", "wireguard-go-newest"] as const) {
  endsTest(
    [implementation],
    `a wanted rekey: ${implementation} gets a new session before the card may go`,
    async () => {
      await using lab = await Lab.open();
      const { end, machine, peer } = await withPeer(lab, ["card", "20"], { implementation });
      assert.ok(await pinged(machine, "10.7.0.2"));
      const handshake = async () => {
        const text = await peer.machine.sh("wg show wg0 latest-handshakes");
        return Number(text.trim().split("\t")[1]);
      };
      const first = await handshake();
      assert.equal((await end.ask<Keys>("keys")).asked, 2);
      // None begins within 5 s of the last: asked again and again, it begins once.
      await until("the new session", async () => {
        await end.ask("rekey");
        return await handshake() > first;
      });
      assert.equal((await end.ask<Keys>("keys")).asked, 4);
      assert.ok(await pinged(machine, "10.7.0.2"));
      assert.ok((await end.ask<Closed>("close")).wiped);
    },
  );
}

labTest("a card that takes 150 ms: initiator and responder, one question at a time", async () => {
  await using lab = await Lab.open();
  const { end, machine, peer } = await withPeer(lab, ["card", "150"]);
  assert.ok(await pinged(machine, "10.7.0.2"));
  const first = await end.ask<Keys>("keys");
  assert.deepEqual([first.asked, first.mostAtOnce], [2, 1]);
  // The stock side forgets the session, so it must call.
  const keys = await peer.machine.sh("wg show wg0 peers");
  await peer.machine.sh(`wg set wg0 peer ${keys.trim()} remove`);
  await peer.machine.sh(
    `wg set wg0 peer ${keys.trim()} allowed-ips 10.7.0.1/32 endpoint 192.0.2.1:51820`,
  );
  await until("the stock side's call", () => pinged(peer.machine, "10.7.0.1"));
  const second = await end.ask<Keys>("keys");
  assert.ok(second.asked >= 4);
  assert.equal(second.mostAtOnce, 1);
  assert.equal((await end.ask<DeviceStatus>("status")).identity, "remote");
  assert.ok((await end.ask<Closed>("close")).wiped);
});

labTest(
  "a bad wire (doubled, cut, turned, replayed, garbage): no packet twice, all counted",
  async () => {
    await using lab = await Lab.open();
    const { end, machine, peer } = await withPeer(lab, ["local"], { implementation: "ours" });
    // Ours at the other end too. wireguard-go takes a doubled response twice now and then, begins
    // its session twice with the same keys, and counts from zero again: captured here, two packets
    // of one number and different bytes, also between two wireguard-go. Our replay window rightly
    // refuses the second ones, so that right after a handshake some packets are lost.
    const relay = fileURLToPath(import.meta.resolve("./bad_wire.ts"));
    await machine.spawn(
      [
        Deno.execPath(),
        "run",
        "-A",
        "--no-check",
        "--unstable-net",
        relay,
        "4000",
        "192.0.2.1:51820",
      ],
      { stderr: "inherit" },
    );
    const caller = (await peer.machine.sh("wg show wg0 peers")).trim();
    await untilBound(machine, "4000");
    await peer.machine.sh(`wg set wg0 peer ${caller} endpoint 192.0.2.1:4000`);
    assert.ok(await pinged(peer.machine, "10.7.0.1"));
    // With a deadline it goes on until at least so many are answered, however late the last one is.
    const words = ["ping", "-c", `${PINGS}`, "-i", "0.02", "-w", "60", "10.7.0.1"];
    const { stdout } = await peer.machine.run(words);
    const answered = [...stdout.matchAll(/ icmp_seq=(\d+) /g)].map(([, number]) => Number(number));
    const drops = async () => (await end.ask<DeviceStatus>("status")).drops;
    const said = `${stdout}\n${JSON.stringify(await drops())}`;
    assert.ok(answered.length >= PINGS, said);
    assert.deepEqual(answered, Array.from(answered, (_, index) => index + 1), said);
    assert.doesNotMatch(stdout, /DUP|duplicates/);
    for (
      const [what, least] of [
        ...[["replayed", 90], ["authentication", 20], ["malformed", 10], ["unknownIndex", 5]],
      ] as const
    ) await until(`${least} ${what}`, async () => (await drops())[what] >= least);
  },
);

labTest("closed while the card is still at work: the process lives, and all is wiped", async () => {
  await using lab = await Lab.open();
  const { end, machine } = await withPeer(lab, ["card", "600"]);
  await machine.spawn(["ping", "10.7.0.2"]);
  await until("the card to be asked", async () => (await end.ask<Keys>("keys")).asked > 0);
  assert.equal((await end.ask<Keys>("keys")).mostAtOnce, 1);
  assert.ok((await end.ask<Closed>("close-late")).wiped);
});

for (const offloads of ["plain", "full"]) {
  labTest(`offloads ${offloads}: 20 MB both ways arrive unchanged`, async () => {
    await using lab = await Lab.open();
    const { end, machine, peer } = await withPeer(lab, ["local", "0", offloads]);
    assert.ok(await pinged(machine, "10.7.0.2"));
    const status = await end.ask<DeviceStatus>("status");
    assert.equal(status.offloads.tun, offloads === "full");
    assert.equal(status.offloads.udpGro, offloads === "full");
    const file = `${lab.dir}/bulk`;
    await machine.sh(`head -c 20000000 /dev/urandom > ${file}`);
    const [sum] = (await machine.sh(`sha256sum ${file}`)).split(" ");
    const legs = [
      { server: machine, client: peer.machine, address: "10.7.0.1" },
      { server: peer.machine, client: machine, address: "10.7.0.2" },
    ];
    for (const leg of legs) assert.equal(await fetchedSum({ ...leg, file }), sum);
  });
}
