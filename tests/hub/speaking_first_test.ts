import assert from "node:assert/strict";
import type { ClientStatus, HubStatus } from "../../hub/hub_status.ts";
import { settledSize, sizeOf, untilLarger } from "../lab/growth.ts";
import type { Machine } from "../lab/machine.ts";
import { labTest } from "../lab/needs.ts";
import {
  buildWorld,
  HUB_INSIDE,
  hubCommand,
  HubProcess,
  isCutOff,
  OFFICE,
  reaches,
  type World,
  writeConfig,
} from "./world.ts";

/** Where Bob listens, so that he can be spoken to before he spoke. */
const BOBS_PORT = 40_000;
const INBOUND = ["tcp/8080-8081@10.20.0.0/24", "icmp@10.20.0.0/24", "icmp@fd20::/64"];

labTest("hub: the office begins what a client's rules say, and the hub speaks first", async () => {
  await using world = await buildWorld();
  const { alice, bob, office } = world;
  await bob.machine.sh(`wg set wg0 listen-port ${BOBS_PORT}`);
  const alices = { person: alice, networks: [], inbound: INBOUND };
  const bobs = {
    ...{ person: bob, networks: ["10.30.0.0/24"], psk: true, inbound: INBOUND },
    endpoint: `192.0.3.2:${BOBS_PORT}`,
  };
  await writeConfig(world, [alices, bobs]);
  const hub = await HubProcess.start(world);
  await using _servers = await serve([alice.machine, bob.machine]);

  // Nobody knows where Alice is: the office is told, instead of being left to wait.
  const told = await office.run(["ping", "-c", "1", "-W", "5", alice.address]);
  assert.match(told.stdout, /From 10\.20\.0\.1 .*Destination Host Unreachable/);
  assert.equal((await fetchFrom(office, `${alice.address}:8080/`)).code, 7, "refused at once");
  assert.ok((await readStatus(world)).packets.unreachable >= 2);
  // Bob has never spoken either, but he is where the file says.
  assert.equal((await fetchFrom(office, `${bob.address}:8080/`)).stdout, seen("bob"));
  assert.ok(await reaches(office, bob.address6));
  // Once Alice has spoken, the hub knows where to.
  assert.ok(await reaches(alice.machine, HUB_INSIDE.address));
  assert.equal((await fetchFrom(office, `${alice.address}:8080/`)).stdout, seen("alice"));

  // Alice's side forgets its session, and where the hub is: only the hub can begin a handshake.
  const before = clientOf(await readStatus(world), "alice").lastHandshake;
  await alice.machine.sh(`wg set wg0 peer ${world.hubPublicKey} remove
    wg set wg0 peer ${world.hubPublicKey} allowed-ips 10.0.0.0/8,fd20::/64,fd77::/64`);
  const again = reaches(office, alice.address);

  // What no rule says: another port, another network inside, another client, the other way round.
  assert.equal((await fetchFrom(office, `${bob.address}:80/`, "--max-time", "4")).code, 28);
  assert.ok(await isCutOff(office, bob.address, OFFICE.closed));
  assert.ok(await isCutOff(bob.machine, OFFICE.open), "the way back is for answers");
  const { packets } = await readStatus(world);
  assert.ok(packets.dropped >= 3 + 3, JSON.stringify(packets));
  assert.ok(packets.begun > 3);

  assert.ok(await again, "the hub spoke first to where Alice was last");
  assert.ok(clientOf(await readStatus(world), "alice").lastHandshake > before);

  // A reload takes a rule away from what is under way; sessions stay, and so do others' rules.
  const session = clientOf(await readStatus(world), "bob").lastHandshake;
  const [pathOfAlice, pathOfBob] = [`${world.lab.dir}/alice.stream`, `${world.lab.dir}/bob.stream`];
  const stream = ({ address }: typeof alice, path: string) =>
    office.spawn(["curl", "-sS", "-N", "-o", path, `http://${address}:8080/stream`]);
  const streams = [await stream(alice, pathOfAlice), await stream(bob, pathOfBob)];
  for (const path of [pathOfAlice, pathOfBob]) await untilLarger(path, 100_000);
  await writeConfig(world, [alices, { ...bobs, inbound: ["icmp@fd20::/64"] }]);
  await hub.reload(/^Hub reloaded: 2 clients$/);
  const atEnd = await settledSize(pathOfBob);
  await untilLarger(pathOfAlice, sizeOf(pathOfAlice) + 1_000_000);
  assert.equal(sizeOf(pathOfBob), atEnd);
  assert.ok(await reaches(office, bob.address6));
  assert.equal(clientOf(await readStatus(world), "bob").lastHandshake, session);
  assert.equal(await hub.stop(), 0);
  for (const each of streams) await each.stop();
});

labTest("hub: what isn't inside begins nothing, whatever source it writes", async () => {
  await using world = await buildWorld();
  const { alice, bob } = world;
  await bob.machine.sh(`wg set wg0 listen-port ${BOBS_PORT}`);
  await writeConfig(world, [
    { person: alice, networks: [] },
    { person: bob, networks: [], psk: true, inbound: ["icmp@0.0.0.0/0", "icmp@10.20.0.0/24"] },
  ]);
  const hub = await HubProcess.start(world);
  assert.ok(await reaches(bob.machine, HUB_INSIDE.address));
  assert.ok(await reaches(alice.machine, HUB_INSIDE.address));
  assert.ok(await reaches(world.office, bob.address));
  assert.ok(await isCutOff(alice.machine, bob.address), "another client");
  // On the Internet's wire, with an address of the office.
  await alice.machine.sh(`ip addr add ${OFFICE.open}/32 dev lo
    ip route replace ${bob.address}/32 via 192.0.2.1 dev eth0`);
  await world.hub.sh("echo 0 > /proc/sys/net/ipv4/conf/all/rp_filter");
  await world.hub.sh("echo 0 > /proc/sys/net/ipv4/conf/alice/rp_filter");
  const { packets: before } = await readStatus(world);
  assert.ok(await isCutOff(alice.machine, bob.address, OFFICE.open));
  const { packets } = await readStatus(world);
  assert.deepEqual([packets.begun, packets.dropped], [before.begun, before.dropped + 3]);
  assert.equal(await hub.stop(), 0);
});

const seen = (name: string) => `${name} sees ::ffff:${OFFICE.open}\n`;

/** Pages on port 8080, one of them without an end. */
async function serve(machines: readonly Machine[]): Promise<AsyncDisposable> {
  await using stack = new AsyncDisposableStack();
  const program = new URL("../gateway/server_program.ts", import.meta.url).pathname;
  for (const machine of machines) {
    const server = await machine.spawn([
      ...[Deno.execPath(), "run", "-A", "--cached-only", "--no-prompt", program],
      ...[machine.name, "8080"],
    ], { stdout: "piped", stderr: "inherit", env: { DENO_NO_UPDATE_CHECK: "1" } });
    stack.defer(() => server.stop());
    const reader = server.child.stdout.getReader();
    await reader.read();
    reader.releaseLock();
    stack.defer(() => server.child.stdout.cancel().catch(() => {}));
  }
  return stack.move();
}

function fetchFrom(machine: Machine, to: string, ...options: string[]) {
  return machine.run(["curl", "-sS", "--max-time", "20", ...options, `http://${to}`]);
}

function clientOf({ clients }: HubStatus, name: string): ClientStatus {
  const found = clients.find((client) => client.name === name);
  assert.ok(found, name);
  return found;
}

async function readStatus(world: World): Promise<HubStatus> {
  const { stdout } = await world.hub.run(hubCommand("status", "--config", world.configPath));
  return JSON.parse(stdout);
}
