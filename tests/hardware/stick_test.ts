/**
 * In a guest with a USB port (guest_test.ts): a stick is made there, a computer runs from it, a gateway
 * takes it; each time it is pulled out of the port.
 */
import assert from "node:assert/strict";
import { sleep } from "../lab/machine.ts";
import { type Needle, searchMemory } from "../lab/memory_search.ts";
import { Computer, Person } from "../stick/computer.ts";
import { type Ground, openGround, Place } from "../stick/place.ts";
import { PASSWORD, secretsOf, settings, token } from "../stick/stick.ts";
import { enginePids } from "../story/observer.ts";
import { Hands, handsTest } from "./hands.ts";

const STICK = "/dev/sda";
const VISIBLE = "/run/visible";
const LIMIT_MS = 60_000;
/** A gateway never looks at the visible part: any program will do there, and a small one is soon written. */
const SMALL = ["--runtime", "/usr/bin/true"];

handsTest("a computer runs from a USB stick that was made here, until it is pulled", async () => {
  const ground = await openGround();
  await using stack = new AsyncDisposableStack();
  stack.use(ground.lab);
  using hands = await Hands.open();
  const { box } = ground;
  const needles = await makeUsbStick(ground, hands);
  await plug(hands);

  // As a desktop mounts it.
  await box.sh(`mkdir ${VISIBLE}; mount -t vfat -o showexec,flush ${STICK}1 ${VISIBLE}`);
  const computer = await Computer.build(box, { visible: VISIBLE, device: STICK });
  const before = await computer.files();
  const person = new Person(await computer.start());
  await person.waitFor("Password: ");
  await person.type("not the password\r");
  await person.waitFor("Wrong password; try again.");
  await person.type(`${PASSWORD}\r`);
  await person.waitFor("Connected: Alice Example to 192.0.2.2.");
  await box.sh("ping -c 3 -W 5 10.7.0.1");
  const pulledAt = performance.now();
  await hands.do("pull stick");
  assert.match(await person.end(), /The stick was pulled: disconnected, nothing stays here\./);
  console.log(`pulled: the client's end after ${Math.round(performance.now() - pulledAt)} ms`);
  assert.deepEqual(searchMemory([box.pid, ...box.pids()], needles).hits, []);
  assert.deepEqual(await computer.files(), before, "every file is as it was");
});

handsTest("a gateway takes a USB stick, and its keys go with it", async () => {
  const ground = await openGround();
  await using stack = new AsyncDisposableStack();
  stack.use(ground.lab);
  using hands = await Hands.open();
  const { box, terminal } = ground;
  const other = { whose: "other stick", name: "Bob Example", address: "10.7.0.3/32" };
  const others = await makeUsbStick(ground, hands, { ...other, more: SMALL });
  const needles = await makeUsbStick(ground, hands, { more: SMALL });

  const place = stack.use(await Place.open(ground, `[stick]\ndevices = ["usb"]\n`));
  place.lookMs = 300;
  assert.equal((await place.portal()).phase, "no-card");
  await plug(hands);
  await place.until("pin-asked");
  assert.deepEqual(await place.enter(PASSWORD), { outcome: "up" });
  await place.reach();
  const [engine] = enginePids(box.pids());
  assert.ok(engine !== undefined);
  const during = searchMemory([engine], needles).hits.map(({ needle }) => needle);
  assert.ok(during.includes("private key"), "the search finds what is there");
  const pulledAt = performance.now();
  await hands.do("pull stick");
  await place.gone(engine);
  console.log(`pulled: the engine's end after ${Math.round(performance.now() - pulledAt)} ms`);

  // Somebody else's in its place.
  await plug(hands, "other stick");
  assert.equal((await place.until("pin-asked")).holder, other.name);
  assert.deepEqual(searchMemory([box.pid, ...box.pids()], needles).hits, []);
  assert.notEqual((await terminal.run(["ping", "-c", "1", "-W", "1", "10.7.0.1"])).code, 0);
  assert.deepEqual(await place.enter(PASSWORD), { outcome: "up" });
  await place.reach();
  await hands.do("pull other stick");
  await place.until("no-card");
  assert.deepEqual(searchMemory([box.pid, ...box.pids()], others).hits, []);

  // Pulled while its password is being tried.
  await plug(hands);
  await place.until("pin-asked");
  const entered = place.enter(PASSWORD);
  await place.until("unlocking");
  await hands.do("pull stick");
  assert.deepEqual(await entered, { outcome: "card-gone" });
  await place.until("no-card");
  assert.deepEqual(searchMemory([box.pid, ...box.pids()], needles).hits, []);
});

/** Makes a stick of an empty one, tells the hub of it and pulls it; resolves to its secrets. */
async function makeUsbStick(
  { lab, hub, issuer, server }: Ground,
  hands: Hands,
  { whose = "stick", name = "Alice Example", address = "10.7.0.2/32", more = [] }: {
    whose?: string;
    name?: string;
    address?: string;
    more?: readonly string[];
  } = {},
): Promise<Needle[]> {
  await hands.do(`plug ${whose}`);
  await appears(STICK);
  const made = await token([
    ...["format", STICK, "--issuer", `${lab.dir}/issuer`, "--json", "--yes", ...more],
    ...["--password-file", `${lab.dir}/password`, ...settings(server, { name, address })],
  ]);
  assert.equal(made.code, 0, made.stderr);
  const { clientPublicKey: publicKey } = JSON.parse(made.stdout);
  await hub.peer({ privateKey: "", publicKey }, `allowed-ips ${address}`);
  const needles = await secretsOf({ image: STICK, issuer, publicKey });
  await hands.do(`pull ${whose}`);
  return needles;
}

/** Plugs in a stick that has its parts, as the kernel must see. */
async function plug(hands: Hands, whose = "stick"): Promise<void> {
  await hands.do(`plug ${whose}`);
  await appears(`${STICK}1`);
}

async function appears(path: string): Promise<void> {
  for (const end = Date.now() + LIMIT_MS; Date.now() < end; await sleep(50)) {
    if (await Deno.stat(path).then(() => true, () => false)) return;
  }
  throw new Error(`Cannot go on: ${path} does not appear`);
}
