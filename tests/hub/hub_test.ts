import assert from "node:assert/strict";
import type { HubStatus } from "../../hub/hub_status.ts";
import { labTest } from "../lab/needs.ts";
import {
  buildWorld,
  eventually,
  HUB_INSIDE,
  hubCommand,
  HubProcess,
  isCutOff,
  OFFICE,
  reaches,
  type World,
  writeConfig,
} from "./world.ts";

const OPEN = ["10.20.0.0/24", "fd20::/64"];
const ALL = [...OPEN, "10.30.0.0/24"];

labTest("hub: each client reaches its networks and nothing else", async () => {
  await using world = await buildWorld();
  const { alice, bob, office } = world;
  await writeConfig(world, [
    { person: alice, networks: OPEN },
    { person: bob, networks: ALL, psk: true },
  ]);
  const hub = await HubProcess.start(world);

  assert.ok(await reaches(alice.machine, OFFICE.open));
  assert.ok(await reaches(alice.machine, OFFICE.open6));
  assert.ok(await reaches(alice.machine, HUB_INSIDE.address));
  assert.ok(await reaches(bob.machine, OFFICE.open));
  assert.ok(await reaches(bob.machine, OFFICE.closed));
  assert.ok(await isCutOff(alice.machine, OFFICE.closed));
  assert.ok(await isCutOff(alice.machine, bob.address));
  assert.ok(await isCutOff(bob.machine, alice.address6));
  // What nobody asked for doesn't come in either.
  assert.ok(await isCutOff(office, alice.address));

  const status = await readStatus(world);
  assert.equal(status.publicKey, world.hubPublicKey);
  assert.deepEqual(status.clients.map(({ name, connected }) => [name, connected]), [
    ["alice", true],
    ["bob", true],
  ]);
  assert.ok(status.packets.dropped >= 3 + 3 + 3 + 3);
  assert.ok(status.packets.inward >= 4 && status.packets.outward >= 4);
  assert.equal(await hub.stop(), 0);
});

labTest("hub: another address inside the tunnel than one's own is dropped", async () => {
  await using world = await buildWorld();
  const { alice, bob } = world;
  await writeConfig(world, [
    { person: alice, networks: OPEN },
    { person: bob, networks: ALL, psk: true },
  ]);
  const hub = await HubProcess.start(world);
  assert.ok(await reaches(alice.machine, OFFICE.open));
  await alice.machine.sh(`ip addr add ${bob.address}/32 dev wg0
    ip route replace 10.30.0.0/24 dev wg0 src ${bob.address}`);
  assert.ok(await isCutOff(alice.machine, OFFICE.closed));
  assert.ok((await readStatus(world)).drops.notAllowed >= 3);
  assert.equal(await hub.stop(), 0);
});

labTest("hub: a reload changes what clients may and keeps their sessions", async () => {
  await using world = await buildWorld();
  const { alice, bob } = world;
  await writeConfig(world, [
    { person: alice, networks: OPEN },
    { person: bob, networks: ALL, psk: true },
  ]);
  const hub = await HubProcess.start(world);
  assert.ok(await reaches(alice.machine, OFFICE.open));
  assert.ok(await reaches(bob.machine, OFFICE.closed));
  const before = await readStatus(world);

  await writeConfig(world, [{ person: alice, networks: ["10.30.0.0/24"] }]);
  await hub.reload(/^Hub reloaded: 1 clients$/);
  assert.ok(await reaches(alice.machine, OFFICE.closed));
  assert.ok(await isCutOff(alice.machine, OFFICE.open));
  assert.ok(await isCutOff(bob.machine, OFFICE.closed));
  const after = await readStatus(world);
  assert.equal(after.clients.length, 1);
  assert.equal(after.clients[0]?.lastHandshake, before.clients[0]?.lastHandshake);

  await Deno.writeTextFile(world.configPath, "listen_port = 99999999");
  assert.match(
    await hub.reload(/goes on as before/),
    /^Cannot use .*hub\.toml: .*\(the hub goes on as before\)$/,
  );
  await writeConfig(world, [{ person: bob, networks: ALL, psk: true }], "mtu = 1300");
  assert.match(await hub.reload(/goes on as before/), /mtu has changed; restart/);
  assert.ok(await reaches(alice.machine, OFFICE.closed));

  await writeConfig(world, [
    { person: bob, networks: ALL, psk: true },
    { person: alice, networks: ALL },
  ]);
  await hub.reload(/^Hub reloaded: 2 clients$/);
  assert.ok(await reaches(alice.machine, OFFICE.open));
  // Bob's side keeps a session that the hub has forgotten until it asks for a new one.
  await bob.machine.sh(`wg set wg0 peer ${world.hubPublicKey} remove
    wg set wg0 peer ${world.hubPublicKey} endpoint ${bob.endpoint} allowed-ips 10.0.0.0/8 \
      preshared-key ${world.lab.dir}/bob.psk`);
  assert.ok(await reaches(bob.machine, OFFICE.closed));
  assert.equal(await hub.stop(), 0);
});

labTest("hub: a client that moves is followed", async () => {
  await using world = await buildWorld();
  const { alice } = world;
  await writeConfig(world, [{ person: alice, networks: OPEN }]);
  const hub = await HubProcess.start(world);
  assert.ok(await reaches(alice.machine, OFFICE.open));
  // A new port too: wireguard-go would otherwise try its old address for a while.
  await alice.machine.sh(`ip addr flush dev eth0; ip addr add 192.0.2.77/24 dev eth0
    wg set wg0 listen-port 40123`);
  assert.ok(await reaches(alice.machine, OFFICE.open));
  const moved = await eventually(async () =>
    (await readStatus(world)).clients[0]?.endpoint?.startsWith("192.0.2.77:") || undefined
  );
  assert.ok(moved);
  assert.equal(await hub.stop(), 0);
});

labTest("hub: with masquerade the private network needs no route to the clients", async () => {
  await using world = await buildWorld({ officeKnowsTunnel: false });
  const { alice } = world;
  await writeConfig(world, [{ person: alice, networks: OPEN }]);
  const hub = await HubProcess.start(world);
  assert.ok(await isCutOff(alice.machine, OFFICE.open));
  await writeConfig(world, [{ person: alice, networks: OPEN }], "masquerade = true");
  await hub.reload(/^Hub reloaded/);
  assert.ok(await reaches(alice.machine, OFFICE.open));
  assert.ok(await reaches(alice.machine, OFFICE.open6));
  assert.equal(await hub.stop(), 0);
});

labTest("hub: killed, it lets nothing pass, and started again it carries on", async () => {
  await using world = await buildWorld();
  const { alice } = world;
  await writeConfig(world, [{ person: alice, networks: OPEN }]);
  const hub = await HubProcess.start(world);
  assert.ok(await reaches(alice.machine, OFFICE.open));
  await hub.crash();
  assert.ok(await isCutOff(alice.machine, OFFICE.open));
  assert.match(await world.hub.sh("nft list table inet sekisho_hub"), /policy drop/);
  const again = await HubProcess.start(world);
  // Alice still sends under a session that died with the hub; a peer set anew asks for another.
  await alice.machine.sh(`wg set wg0 peer ${world.hubPublicKey} remove
    wg set wg0 peer ${world.hubPublicKey} endpoint ${alice.endpoint} allowed-ips 10.0.0.0/8`);
  assert.ok(await reaches(alice.machine, OFFICE.open));
  assert.equal(await again.stop(), 0);
});

labTest("hub: when its interface is deleted it says so and ends", async () => {
  await using world = await buildWorld();
  await writeConfig(world, []);
  const hub = await HubProcess.start(world);
  await world.hub.sh("ip link del hub0");
  assert.match(await hub.hears(/^Cannot /), /its interface was deleted; start it again/);
  assert.equal(await hub.ended(), 1);
  assert.doesNotMatch(await world.hub.sh("nft list tables"), /sekisho/);
});

labTest(
  "hub: a second one is refused, a stopped one leaves nothing, wrong usage ends with 2",
  async () => {
    await using world = await buildWorld();
    await writeConfig(world, []);
    const hub = await HubProcess.start(world);
    const second = await world.hub.run(hubCommand("--config", world.configPath));
    assert.equal(second.code, 1);
    assert.match(
      second.stderr,
      /^Cannot start the hub: another one runs here \(process \d+\); .*\n$/,
    );
    const text = await Deno.readTextFile(world.configPath);
    const elsewhere = `${world.lab.dir}/elsewhere.toml`;
    await Deno.writeTextFile(
      elsewhere,
      `run = "/run/elsewhere"\n${text.replace("hub0", "hub1").replace("51820", "51821")}`,
    );
    const third = await world.hub.run(["timeout", "30", ...hubCommand("--config", elsewhere)]);
    assert.equal(third.code, 1, "a hub with folders and an interface of its own");
    assert.match(third.stderr, /^Cannot start the hub: another one runs in this network .*\n$/);
    assert.equal(await hub.stop(), 0);

    assert.notEqual((await world.hub.run(["ip", "link", "show", "hub0"])).code, 0);
    assert.doesNotMatch(await world.hub.sh("nft list tables"), /sekisho/);
    const status = await world.hub.run(hubCommand("status", "--config", world.configPath));
    assert.equal(status.code, 1);
    assert.match(status.stderr, /^Cannot ask the hub at .*: none runs there; start it first\n$/);

    for (const args of [[], ["--config"], ["--config", "/nowhere.toml"], ["start"]]) {
      const { code, stderr } = await world.hub.run(hubCommand(...args));
      assert.equal(code, 2, args.join(" "));
      assert.match(stderr, /^Cannot .*\n$/);
    }
    await Deno.chmod(`${world.lab.dir}/hub.key`, 0o644);
    const open = await world.hub.run(hubCommand("--config", world.configPath));
    assert.equal(open.code, 2);
    assert.match(open.stderr, /hub\.key: others may read it/);
  },
);

async function readStatus(world: World): Promise<HubStatus> {
  const { stdout } = await world.hub.run(hubCommand("status", "--config", world.configPath));
  return JSON.parse(stdout);
}
