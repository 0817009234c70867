/** Our tunnel with the kernel's WireGuard under it, and what happens where there is none. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import type { DeviceStatus } from "../../tunnel/api.ts";
import { Lab } from "../lab/lab.ts";
import type { Machine } from "../lab/machine.ts";
import { labTest } from "../lab/needs.ts";
import { withPeer } from "./api_process.ts";
import { guards } from "./kernel/guards.ts";
import { noKernelWireguard } from "./kernel/probe.ts";
import { until } from "./wireguard.ts";

const kernelTest = noKernelWireguard === undefined
  ? labTest
  : (name: string, _run: () => Promise<void>) =>
    Deno.test.ignore(`${name} (skipped: ${noKernelWireguard})`, () => {});
const IN_KERNEL = ["local", "0", "full", "kernel"];

const pinged = async (machine: Machine, address: string) =>
  (await machine.run(["ping", "-c", "1", "-W", "10", address])).code === 0;
const isThere = async (machine: Machine) =>
  (await machine.run(["ip", "link", "show", "wg0"])).code === 0;

kernelTest("the kernel carries a sealed identity's packets, and tells as we would", async () => {
  await using lab = await Lab.open();
  const { end, machine, peer } = await withPeer(lab, IN_KERNEL);
  assert.equal(await end.ask("carrier"), "kernel");
  assert.match(await machine.sh("ip -d link show wg0"), /^ +wireguard /m);
  assert.ok(await pinged(machine, "10.7.0.2"));
  assert.ok((await machine.run(["ping", "-c", "3", "-s", "1300", "10.7.0.2"])).code === 0);
  const status = await end.ask<DeviceStatus>("status");
  assert.equal(status.crypto, "kernel");
  assert.equal(status.listenPort, 51820);
  assert.equal(status.mtu, 1420);
  const [theirs] = status.peers;
  assert.equal(status.publicKey, (await peer.machine.sh("wg show wg0 peers")).trim());
  assert.equal(theirs?.publicKey, peer.keys.publicKey);
  assert.equal(theirs?.endpoint, "192.0.2.2:51820");
  assert.deepEqual(theirs?.allowedIps, ["10.7.0.0/24"]);
  assert.deepEqual([`${theirs?.txBytes}`, `${theirs?.rxBytes}`], await peer.show("transfer"));
  assert.ok(theirs?.sessionAlive);
  await until("what happened", async () => {
    const events = await end.ask<string[]>("events");
    return events.includes("handshake-completed") && events.includes("first-data-received");
  });
  assert.deepEqual(await end.ask("notices"), []);

  const [before] = await peer.show("latest-handshakes");
  await until("another handshake", async () => {
    await end.ask("rekey");
    return (await peer.show("latest-handshakes"))[0] !== before;
  });
  assert.ok(await pinged(machine, "10.7.0.2"));
  await end.ask("close");
  assert.equal(await isThere(machine), false);
});

kernelTest("the interface doesn't outlive its process, however that ends", async () => {
  await using lab = await Lab.open();
  const { end, machine } = await withPeer(lab, IN_KERNEL);
  assert.ok(await pinged(machine, "10.7.0.2"));
  // What ends a whole service reaches the guard too: it stays at its post.
  for (const guard of guards(machine)) Deno.kill(guard, "SIGTERM");
  await end.kill();
  await until("the guard", async () => !await isThere(machine));
});

kernelTest("taken away at once: the interface is gone before the process is", async () => {
  await using lab = await Lab.open();
  const { end, machine } = await withPeer(lab, IN_KERNEL);
  assert.ok(await pinged(machine, "10.7.0.2"));
  await end.ask("erase");
  assert.equal(await isThere(machine), false);
});

kernelTest(
  "whoever may set the network can read the keys: why nothing is in the kernel unasked",
  async () => {
    await using lab = await Lab.open();
    const { end, machine } = await withPeer(lab, IN_KERNEL);
    const nobody = ["setpriv", "--reuid", "65534", "--clear-groups", "--inh-caps", "+net_admin"];
    const read = ["wg", "show", "wg0", "private-key"];
    const { stdout } = await machine.run([...nobody, "--ambient-caps", "+net_admin", ...read]);
    assert.match(stdout, /^[A-Za-z0-9+/]{43}=\n$/);
    assert.notEqual((await machine.run([...nobody, ...read])).code, 0);
    await end.ask("close");
  },
);

kernelTest("deleted by others: it ends, and the guard leaves another of that name", async () => {
  await using lab = await Lab.open();
  const { end, machine } = await withPeer(lab, IN_KERNEL);
  await machine.sh("ip link del wg0; ip link add wg0 type wireguard");
  await end.kill();
  await until("the end of the guard", () => Promise.resolve(guards(machine).length === 0));
  assert.ok(await isThere(machine));
});

kernelTest("what was left behind goes, if it is WireGuard's", async () => {
  await using lab = await Lab.open();
  const machine = await lab.machine("a");
  const program = fileURLToPath(import.meta.resolve("./kernel/leftover_program.ts"));
  const remove = async () => {
    const words = ["run", "-A", "--cached-only", "--no-check", program, "wg0"];
    const { stdout, stderr } = await machine.run([Deno.execPath(), ...words]);
    return stdout.trim() || stderr;
  };
  assert.equal(await remove(), "false");
  await machine.sh("ip link add wg0 type wireguard");
  assert.equal(await remove(), "true");
  assert.equal(await isThere(machine), false);
  await machine.sh("ip link add wg0 type veth peer name other0");
  assert.equal(await remove(), "false");
  assert.ok(await isThere(machine));
});

kernelTest("an identity that stays on a card is never the kernel's", async () => {
  await using lab = await Lab.open();
  const { end, machine } = await withPeer(lab, ["card", "0", "full", "kernel"]);
  assert.equal(await end.ask("carrier"), "userspace");
  assert.ok(await pinged(machine, "10.7.0.2"));
  assert.deepEqual(await end.ask("notices"), []);
});

const fallbackTest = noKernelWireguard !== undefined
  ? labTest
  : (name: string, _run: () => Promise<void>) =>
    Deno.test.ignore(`${name} (skipped: this one has it)`, () => {});

fallbackTest("where the kernel has no WireGuard, we carry, and say so once", async () => {
  await using lab = await Lab.open();
  const { end, machine } = await withPeer(lab, IN_KERNEL);
  assert.equal(await end.ask("carrier"), "userspace");
  assert.ok(await pinged(machine, "10.7.0.2"));
  assert.deepEqual(await end.ask("notices"), [
    "this kernel has no WireGuard; packets are carried in user space",
  ]);
});
