/** The life of native memory, descriptors and threads. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { Lab } from "../lab/lab.ts";
import { labTest } from "../lab/needs.ts";
import { fetchedSum, pair, until } from "./wireguard.ts";

/** `SEKISHO_STARTS=1000` for the whole; each start takes some 30 ms. */
const STARTS = Number(Deno.env.get("SEKISHO_STARTS") ?? 100);
const FILE_BYTES = 10_000_000;

labTest("garbage is collected all the time: bytes stay whole, settings hold, it ends", async () => {
  await using lab = await Lab.open();
  const { a, b } = await pair(lab, { a: "ours-collecting", b: "wireguard-go" });
  assert.ok(await a.ping("10.7.0.2", { count: 20 }));
  const file = `${lab.dir}/bulk`;
  await a.machine.sh(`head -c ${FILE_BYTES} /dev/urandom > ${file}`);
  const [sum] = (await a.machine.sh(`sha256sum ${file}`)).split(" ");
  const legs = [
    { server: a.machine, client: b.machine, address: "10.7.0.1" },
    { server: b.machine, client: a.machine, address: "fd07::2" },
  ];
  for (const leg of legs) assert.equal(await fetchedSum({ ...leg, file }), sum);
  for (let round = 0; round < 5; round++) {
    // No packet finds the peer while it has a key that the other side doesn't know.
    await a.machine.sh(`
      wg set wg0 peer ${b.keys.publicKey} remove
      wg set wg0 listen-port $((40000 + ${round})) fwmark ${round}
      wg set wg0 peer ${b.keys.publicKey} preshared-key <(wg genpsk)
      wg set wg0 peer ${b.keys.publicKey} preshared-key /dev/null endpoint 192.0.2.2:51820 \
        allowed-ips 10.7.0.2/32,fd07::2/128`);
    assert.ok(await a.ping("10.7.0.2", { count: 3 }), `round ${round}`);
  }
  await a.machine.sh("ip link del wg0");
  assert.equal((await a.process.status).code, 0);
});

labTest("deleted in the middle of a flood: ends with 0, and says nothing of memory", async () => {
  await using lab = await Lab.open();
  const { a } = await pair(lab, { a: "ours", b: "wireguard-go" });
  assert.ok(await a.ping("10.7.0.2"));
  const flood = await a.machine.spawn(["ping", "-f", "-s", "1200", "10.7.0.2"]);
  await until("some of the flood", async () => Number((await a.show("transfer"))[1]) > 100_000);
  await a.machine.sh("ip link del wg0");
  assert.equal((await a.process.status).code, 0);
  await flood.stop();
});

labTest(
  `${STARTS} starts and stops leave no descriptor, mapping, thread or lock behind`,
  async () => {
    await using lab = await Lab.open();
    const machine = await lab.machine("a");
    const script = fileURLToPath(import.meta.resolve("./lifecycle.ts"));
    const { stdout, stderr } = await machine.run(
      [Deno.execPath(), "run", "-A", "--cached-only", "--no-check", script, `${STARTS}`],
    );
    assert.match(stdout, /^\{/, stderr);
    const { before, after, codes, stops } = JSON.parse(stdout);
    console.log(
      `${STARTS} starts: stopped in (ms) ${JSON.stringify(stops)}; ` +
        `${before.mappings} mappings before, ${after.mappings} after`,
    );
    assert.deepEqual([after.descriptors, after.locked], [before.descriptors, before.locked]);
    assert.ok(after.threads <= before.threads, `${before.threads} threads, then ${after.threads}`);
    // The allocators keep some; one for each start would be a leak.
    assert.ok(after.mappings - before.mappings < STARTS / 2);
    assert.deepEqual(codes, ["EIO", "EADDRINUSE"]);
    // Told to stop, a worker is gone within 100 ms, whatever it is at. Other work on this machine can
    // only make it later, so it is the best of many that is judged.
    for (const [at, { fastest }] of Object.entries<{ fastest: number }>(stops)) {
      assert.ok(fastest < 100, `${at}: ${fastest} ms`);
    }
  },
);
