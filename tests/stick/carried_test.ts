/** A computer with nothing installed runs the client from the stick, and keeps nothing of it. */
import assert from "node:assert/strict";
import { basename } from "node:path";
import { WireguardEnd } from "../interop/wireguard.ts";
import { Lab } from "../lab/lab.ts";
import type { Machine } from "../lab/machine.ts";
import { keysIn, readSecretMemory, searchMemory } from "../lab/memory_search.ts";
import { labTest } from "../lab/needs.ts";
import { Computer, Person } from "./computer.ts";
import {
  LoopDevice,
  makeStick,
  PASSWORD,
  run,
  secretsOf,
  settings,
  takeVisible,
  type TestStick,
  token,
} from "./stick.ts";

const SERVER = "192.0.2.2:51820";

/** A server that isn't there. */
const NOBODY = {
  key: "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=",
  endpoint: SERVER,
};

interface World extends AsyncDisposable {
  readonly lab: Lab;
  readonly pc: Machine;
  readonly hub: WireguardEnd;
  readonly stick: TestStick;
  readonly loop: LoopDevice;
  readonly computer: Computer;
}

labTest("the client runs from the stick, and nothing of it stays", async () => {
  await using world = await open();
  const { pc, computer, stick } = world;
  const before = await computer.files();
  assert.ok(before.length > 20, "the lists are of something");
  const network = await networkOf(pc);
  const person = new Person(await computer.start());
  await person.waitFor("Password: ");
  await person.type("not the password\r");
  await person.waitFor("Wrong password; try again.");
  await person.type(`${PASSWORD}\r`);
  await person.waitFor("Connected: Alice Example to 192.0.2.2.");
  await pc.sh("ping -c 3 -i 0.1 -W 5 10.7.0.1");
  assert.match(
    await pc.sh("ip route get 198.51.100.7"),
    /dev sekisho0/,
    "other traffic is dropped",
  );

  const [client] = clientsOf(pc);
  assert.ok(client !== undefined);
  const session = keysIn(readSecretMemory(client));
  assert.ok(session.length > 4, "keys of the session, too");
  // Comments go when the program is bundled: a text of its own that is nowhere else.
  const program = new TextEncoder().encode("Disconnected, nothing stays here.");
  const needles = [...await secretsOf(stick), ...session, { name: "program", bytes: program }];
  const during = searchMemory([client], needles).hits.map(({ needle }) => needle);
  for (const name of ["private key", "program"]) assert.ok(during.includes(name), name);
  const live = new Set(during.filter((name) => session.some((one) => one.name === name)));
  assert.ok(live.size >= 3, "and the session's keys");
  assert.ok(!during.includes("password"), "the client never knew the password");
  assert.match(Deno.readLinkSync(`/proc/${client}/exe`), /^\/memfd:sekisho-runtime/);
  const mapped = Deno.readTextFileSync(`/proc/${client}/maps`);
  assert.ok(!mapped.includes("/media/stick"), "it needs no file of the stick any more");

  await person.type("\x03");
  const seen = await person.end();
  assert.match(seen, /Disconnected, nothing stays here\./);
  assert.ok(!seen.includes(PASSWORD), "nothing is echoed");
  assert.deepEqual(clientsOf(pc), []);
  const after = searchMemory([pc.pid, ...pc.pids()], needles);
  assert.ok(after.processes >= 1);
  assert.deepEqual(after.hits, []);
  assert.deepEqual(await computer.files(), before, "every file is as it was");
  assert.equal(await networkOf(pc), network);
});

labTest("pulling the stick ends the client at once, and nothing of it stays", async () => {
  // The server's first address is of a family that this computer's network doesn't have.
  const more = ["--endpoint", SERVER, "--ask-user-id", "yes"];
  await using world = await open(more, { endpoint: "[2001:db8::9]:51820" });
  const { pc, computer, stick, loop } = world;
  const before = await computer.files();
  const needles = await secretsOf(stick);
  const person = new Person(await computer.start());
  const enter = async (id: string) => {
    await person.waitFor("User id: ");
    await person.type(`${id}\r`);
    await person.waitFor("Password: ");
    await person.type(`${PASSWORD}\r`);
  };
  await enter("Alice Example");
  await person.waitFor("Wrong user id or password; try again.");
  await enter("alice");
  await person.waitFor("Connected: ");
  const pulledAt = performance.now();
  await loop.pull();
  assert.match(await person.end(), /The stick was pulled: disconnected, nothing stays here\./);
  console.log(`from the pull to its end: ${Math.round(performance.now() - pulledAt)} ms`);
  assert.deepEqual(clientsOf(pc), []);
  assert.deepEqual(searchMemory([pc.pid, ...pc.pids()], needles).hits, []);
  assert.deepEqual(await computer.files(), before);
});

labTest("the launcher says what is wrong with stick and computer", async () => {
  await using world = await open();
  const { pc, computer, lab } = world;
  const start = async (script = "/media/stick/start.sh") =>
    await pc.run(computer.command("sh", script, "--device", "/dev/stick"), {
      input: "not the password\n",
    });
  const wrong = await start();
  assert.equal(wrong.code, 1, wrong.stderr);
  assert.match(
    wrong.stderr,
    /^Stick of Alice Example, valid until .*\nCannot open the stick: wrong /,
  );
  const none = await pc.run(
    computer.command("sh", "/media/stick/start.sh", "--device", "/dev/zzz"),
  );
  assert.match(none.stderr, /^Cannot open \/dev\/zzz: /);
  const unknown = await pc.run(computer.command("sh", "/media/stick/start.sh"));
  assert.match(
    unknown.stderr,
    /^Cannot (find the stick: .*name it|open \/dev\/.*with the stick in)/,
  );
  const user = await pc.run([
    ...["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"],
    ...["sh", `${lab.dir}/visible/start.sh`],
  ]);
  assert.match(user.stderr, /need root; use: sudo sh start\.sh/);

  // As a desktop mounts FAT: nothing is marked as a program, the loader must do.
  const visible = `${lab.dir}/visible`;
  await Deno.chmod(`${visible}/linux-x64.com`, 0o644);
  assert.match((await start()).stderr, /Cannot open the stick: wrong password/);
  await pc.sh(`mount -o remount,bind,ro,noexec ${computer.visible}`);
  assert.match((await start()).stderr, /^Cannot start: the stick is mounted without exec; mount/);
  await pc.sh(`mount -o remount,bind,ro,exec ${computer.visible}`);
  await Deno.writeTextFile(`${visible}/launcher.js`, "//", { append: true });
  assert.match(
    (await start()).stderr,
    /^Cannot start: launcher\.js on this stick is damaged; tell/,
  );
  for (const name of ["start.command", "start.cmd", "README.txt"]) {
    assert.match(Deno.readTextFileSync(`${visible}/${name}`), /not\s(start|supported)/i, name);
  }
  const mac = await run("sh", [`${visible}/start.command`]);
  assert.equal(mac.code, 1);
  assert.match(mac.stdout, /does not start on macOS yet/);
});

labTest("the launcher finds its stick by the partition that it lies on", async () => {
  await using lab = await Lab.open();
  const pc = await lab.machine("pc");
  const { image } = await makeStick(lab.dir, { server: NOBODY });
  await takeVisible(image, `${lab.dir}/visible`);
  await using loop = await LoopDevice.open(image, ["--partscan"]);
  const name = basename(loop.path);
  // Kernels that don't read tables of loop devices are told of the partitions.
  await pc.run(["partx", "--add", loop.path]);
  const numbers = (await Deno.readTextFile(`/sys/block/${name}/${name}p1/dev`)).trim();
  // Not every kernel has FAT; there the same files lie on the partition in another way.
  await pc.sh(`
    cd ${lab.dir}; mknod part b ${numbers.replace(":", " ")}; mkdir /run/m
    mount -t vfat part /run/m 2>/dev/null || {
      mkfs.ext4 -q -F part; mount part /run/m; cp -p visible/* /run/m
    }`);
  const { code, stderr } = await pc.run(["sh", "/run/m/start.sh"], { input: "another word\n" });
  assert.equal(code, 1, stderr);
  assert.match(stderr, /^Stick of Alice Example, .*\nCannot open the stick: wrong password;/);
  // Nobody writes to it meanwhile.
  const issuer = ["--issuer", `${lab.dir}/issuer`];
  const renew = [
    ...["renew", "--stick", loop.path, "--pin-file", `${lab.dir}/password`],
    ...issuer,
  ];
  const format = [
    ...["format", loop.path, "--yes", "--password-file", `${lab.dir}/password`],
    ...[...issuer, ...settings(NOBODY)],
  ];
  for (const words of [renew, format]) {
    assert.match((await token(words)).stderr, /it is in use: .*\(EBUSY\)/, words[0]);
  }
  await pc.sh("umount /run/m");
  assert.equal((await token(renew)).code, 0);
});

labTest("an expired stick is refused before any prompt", async () => {
  await using world = await open(["--expires", "2001-01-01"]);
  const { computer } = world;
  const person = new Person(await computer.start());
  const seen = await person.end();
  assert.match(seen, /Cannot use the stick of Alice Example: it expired on .*; renew it/);
  assert.ok(!seen.includes("Password"));

  // Renewed in place it connects, by the same launcher and program, with the same keys.
  const renewed = await token([
    ...["renew", "--stick", world.loop.path, "--issuer", `${world.lab.dir}/issuer`],
    ...["--pin-file", `${world.lab.dir}/password`, "--json"],
  ]);
  assert.equal(renewed.code, 0, renewed.stderr);
  assert.equal(JSON.parse(renewed.stdout).clientPublicKey, world.stick.publicKey);
  const again = new Person(await computer.start());
  await again.waitFor("Password: ");
  await again.type(`${PASSWORD}\r`);
  await again.waitFor("Connected: Alice Example to 192.0.2.2.");
  await world.pc.sh("ping -c 1 -W 5 10.7.0.1");
  await again.type("\x03");
  assert.match(await again.end(), /Disconnected, nothing stays here\./);
});

async function open(more: readonly string[] = [], { endpoint = SERVER } = {}): Promise<World> {
  const lab = await Lab.open();
  const [pc, server] = [await lab.machine("pc"), await lab.machine("hub")];
  await lab.link(pc, "eth0", server, "eth0");
  await pc.sh("ip addr add 192.0.2.1/24 dev eth0; ip route add default via 192.0.2.2");
  await server.sh("ip addr add 192.0.2.2/24 dev eth0");
  const hub = await WireguardEnd.start(server, { implementation: "wireguard-go" });
  await hub.address("10.7.0.1/24");
  const address = { key: hub.keys.publicKey, endpoint };
  const stick = await makeStick(lab.dir, { server: address, more });
  await hub.peer({ privateKey: "", publicKey: stick.publicKey }, "allowed-ips 10.7.0.2/32");
  await takeVisible(stick.image, `${lab.dir}/visible`);
  const loop = await LoopDevice.open(stick.image);
  const computer = await Computer.build(pc, {
    visible: `${lab.dir}/visible`,
    device: loop.path,
  });
  return {
    lab,
    pc,
    hub,
    stick,
    loop,
    computer,
    async [Symbol.asyncDispose]() {
      await loop[Symbol.asyncDispose]();
      await lab[Symbol.asyncDispose]();
    },
  };
}

/** Everything that a program with root's rights could leave behind in the network's settings. */
async function networkOf(machine: Machine): Promise<string> {
  const said = await machine.sh(`
    ip -o link; ip -o address; ip rule; ip -6 rule
    ip route show table all; ip -6 route show table all; nft list ruleset
    grep -r . /proc/sys/net/ipv4/conf /proc/sys/net/ipv6/conf 2>/dev/null | sort`);
  assert.ok(said.includes("eth0") && said.includes("rp_filter"));
  return said;
}

/** Processes that run the client, by the name that the launcher gives them. */
function clientsOf(machine: Machine): number[] {
  return machine.pids().filter((pid) => {
    try {
      return Deno.readTextFileSync(`/proc/${pid}/cmdline`).startsWith("sekisho-client\0");
    } catch {
      return false;
    }
  });
}
