/** Where the kernel refuses to send, or to send many datagrams in one call. */
import assert from "node:assert/strict";
import { Lab } from "../lab/lab.ts";
import { labTest } from "../lab/needs.ts";
import { fetchedSum, pair, until, type WireguardEnd } from "./wireguard.ts";

const FILE_BYTES = 5_000_000;

/** A file both ways, by its hash. */
async function carriesBothWays(
  lab: Lab,
  { a, b }: { a: WireguardEnd; b: WireguardEnd },
): Promise<void> {
  const file = `${lab.dir}/bulk`;
  await a.machine.sh(`head -c ${FILE_BYTES} /dev/urandom > ${file}`);
  const [sum] = (await a.machine.sh(`sha256sum ${file}`)).split(" ");
  const legs = [
    { server: a.machine, client: b.machine, address: "10.7.0.1" },
    { server: b.machine, client: a.machine, address: "fd07::2" },
  ];
  for (const leg of legs) assert.equal(await fetchedSum({ ...leg, file }), sum);
}

labTest("a wire narrower than the tunnel: each datagram goes alone, in fragments", async () => {
  await using lab = await Lab.open();
  const ends = await pair(lab, { a: "ours", b: "wireguard-go" });
  assert.ok(await ends.a.ping("10.7.0.2", { size: 1392 }));
  for (const { machine } of [ends.a, ends.b]) await machine.sh("ip link set eth0 mtu 1300");
  assert.ok(await ends.a.ping("10.7.0.2", { size: 1392, count: 3 }));
  await carriesBothWays(lab, ends);
});

labTest(
  "a kernel that refuses (EIO, EINTR, EAGAIN, ENOBUFS): goes on, and says so once",
  async () => {
    await using lab = await Lab.open();
    const ends = await pair(lab, { a: "ours-refusing", b: "wireguard-go" });
    // What is refused while it calls is lost.
    await until("a session", () => ends.a.ping("10.7.0.2"));
    await carriesBothWays(lab, ends);
    await ends.a.machine.sh("ip link del wg0");
    assert.equal((await ends.a.process.status).code, 0);
    const said = await new Response(ends.a.process.child.stderr).text();
    assert.equal(said.match(/a route takes no UDP segmentation/g)?.length, 1, said);
  },
);
