/** A stick in the gateway's USB port is a token as a card is: insertion, password, removal, expiry. */
import assert from "node:assert/strict";
import { searchMemory } from "../lab/memory_search.ts";
import { labTest } from "../lab/needs.ts";
import { enginePids } from "../story/observer.ts";
import { openGround, Place } from "./place.ts";
import { LoopDevice, makeStick, PASSWORD, renewStick, secretsOf, type TestStick } from "./stick.ts";

labTest("a stick in the gateway's port: asked for, opened, pulled, erased", async () => {
  await using world = await open();
  const { place: { ground: { box, terminal } }, stick, port } = world;
  assert.equal((await world.place.portal()).phase, "no-card");
  const needles = await secretsOf(stick);

  let insertedAt = performance.now();
  await port.insert(stick.image);
  const asked = await world.place.until("pin-asked");
  console.log(`from insertion to the prompt: ${Math.round(performance.now() - insertedAt)} ms`);
  assert.equal(asked.holder, "Alice Example");
  const sent = await terminal.run(["ping", "-c", "1", "-W", "1", "10.7.0.1"]);
  assert.notEqual(sent.code, 0, "nothing passes before the password");

  assert.deepEqual(await world.place.enter("no such password"), {
    outcome: "wrong-pin",
    triesLeft: 4,
  });
  const enteredAt = performance.now();
  assert.deepEqual(await world.place.enter(PASSWORD), { outcome: "up" });
  console.log(`from the password to the answer: ${Math.round(performance.now() - enteredAt)} ms`);
  await world.place.reach();

  const [engine] = enginePids(box.pids());
  assert.ok(engine !== undefined);
  const during = searchMemory([engine], needles).hits.map(({ needle }) => needle);
  assert.ok(during.includes("private key"), "the search finds what is there");
  insertedAt = performance.now();
  await port.pull();
  await world.place.gone(engine);
  console.log(
    `from the pull to the engine's end: ${Math.round(performance.now() - insertedAt)} ms`,
  );
  await world.place.until("no-card");
  assert.deepEqual(searchMemory([box.pid, ...box.pids()], needles).hits, []);
  assert.notEqual((await terminal.run(["ping", "-c", "1", "-W", "1", "10.7.0.1"])).code, 0);

  // Put in again, it is asked for again.
  await port.insert(stick.image);
  await world.place.until("pin-asked");
  const key = new Uint8Array(64).fill(0x5a);
  const added = await world.place.add(PASSWORD, key);
  assert.deepEqual(added, { outcome: "up", passkey: "added" });
  await world.place.reach();
  await port.pull();
  await world.place.until("no-card");

  // And by the passkey that was added, the stick being as it was.
  await port.insert(stick.image);
  await world.place.until("pin-asked");
  const other = await world.place.show(new Uint8Array(64));
  assert.deepEqual(other, { outcome: "wrong-passkey", triesLeft: 4 });
  assert.deepEqual(await world.place.show(key), { outcome: "up" });
  await world.place.reach();
  await port.pull();
  await world.place.until("no-card");
});

labTest("sticks that a gateway doesn't take each have their word", async () => {
  await using world = await open();
  const { place: { ground: { lab, server } }, stick, port } = world;
  const word = async (image: string) => {
    await port.insert(image);
    const state = await world.place.until(/^(refused|expired|pin-asked|failed)$/);
    await port.pull();
    await world.place.until("no-card");
    return `${state.phase} ${state.fault ?? ""}`.trim();
  };
  const changed = async (name: string, at: number) => {
    const image = `${lab.dir}/${name}.img`;
    await Deno.copyFile(stick.image, image);
    using file = await Deno.open(image, { read: true, write: true });
    const hidden = (256 - 33) * (1 << 20);
    await file.seek(hidden + at, Deno.SeekMode.Start);
    await file.write(new Uint8Array(4).fill(0xa5));
    return image;
  };
  assert.equal(await word(await changed("head", 300)), "refused damaged");
  assert.equal(await word(await changed("profile", (64 << 10) + 50)), "refused damaged");
  const empty = `${lab.dir}/empty.img`;
  await Deno.writeFile(empty, new Uint8Array(1 << 20));
  assert.equal(await word(empty), "refused none-on-card");

  await Deno.mkdir(`${lab.dir}/other`);
  const foreign = await makeStick(`${lab.dir}/other`, { server });
  assert.equal(await word(foreign.image), "refused forged");

  const old = await makeStick(lab.dir, {
    ...{ server, name: "old", issuer: stick.issuer, more: ["--expires", "2001-01-01"] },
  });
  assert.equal(await word(old.image), "expired");
  assert.equal(await word(stick.image), "pin-asked", "and the good one is still good");
});

labTest(
  "a session of a stick ends when the profile expires; wrong entries are held back",
  async () => {
    await using world = await open(["--ask-user-id", "yes"]);
    const { place: { ground: { box, lab } }, stick, port } = world;
    const insertedAt = performance.now();
    await port.insert(stick.image);
    const asked = await world.place.until("pin-asked");
    let stepsMs = performance.now() - insertedAt;
    assert.deepEqual([asked.asksUserId, asked.holder, asked.triesLeft], [
      ...[true, undefined, undefined],
    ]);
    assert.deepEqual(
      await world.place.enter(PASSWORD),
      { outcome: "stale" },
      "no try without the id",
    );
    const mistyped = "alicia-of-the-second-floor";
    for (const userId of [mistyped, "alice", mistyped, "alice"]) {
      const password = userId === mistyped ? PASSWORD : "no such password";
      assert.deepEqual(await world.place.enter(password, userId), { outcome: "wrong-id-or-pin" });
    }
    const needle = { name: "typed id", bytes: new TextEncoder().encode(mistyped) };
    assert.deepEqual(searchMemory([box.pid, ...box.pids()], [needle]).hits, []);
    // In this order: what leaves the one meanwhile is in the other.
    const written = await Deno.readFile(`${lab.dir}/state/gateway.db-wal`);
    const journal = await Deno.readFile(`${lab.dir}/state/gateway.db`);
    const kept = new TextDecoder("latin1").decode(Uint8Array.from([...journal, ...written]));
    assert.ok(kept.includes("user-id-wrong") && !kept.includes(mistyped));
    const fifth = await world.place.enter("no such password", "alice");
    assert.equal(fifth.outcome, "failed");
    assert.match(String(fifth.reason), /5 times a wrong user id or password; wait, then try again/);
    assert.equal((await world.place.portal()).phase, "failed", "not asked again at once");
    await world.place.until("pin-asked");
    const enteredAt = performance.now();
    assert.deepEqual(await world.place.enter(PASSWORD, "Alice"), { outcome: "up" });
    stepsMs += performance.now() - enteredAt;
    await port.pull();
    await world.place.until("no-card");

    // The same steps once more, and the renewal before them, have the time that they need here.
    const end = Date.now() + 10_000 + 4 * stepsMs;
    const short = await renewStick(lab.dir, {
      ...{ from: stick.image, name: "short", expires: new Date(end) },
    });
    await port.insert(short);
    await world.place.until("pin-asked");
    assert.deepEqual(await world.place.enter(PASSWORD, "alice"), { outcome: "up" });
    const [engine] = enginePids(box.pids());
    assert.ok(engine !== undefined);
    await world.place.until("expired");
    assert.ok(Date.now() >= end - 1000);
    await world.place.gone(engine);
    assert.deepEqual(enginePids(box.pids()), []);
  },
);

/** The gateway's port: a path at which a stick is, or isn't. */
class Port implements AsyncDisposable {
  readonly path: string;
  #loop: LoopDevice | undefined;

  constructor(path: string) {
    this.path = path;
  }

  async insert(image: string): Promise<void> {
    this.#loop = await LoopDevice.open(image, ["--read-only"]);
    await Deno.symlink(this.#loop.path, this.path);
  }

  async pull(): Promise<void> {
    await this.#loop?.pull();
    await Deno.remove(this.path);
    this.#loop = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#loop?.pull();
  }
}

class World implements AsyncDisposable {
  readonly place: Place;
  readonly stick: TestStick;
  readonly port: Port;

  constructor(parts: { place: Place; stick: TestStick; port: Port }) {
    ({ place: this.place, stick: this.stick, port: this.port } = parts);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Given back in turn, also when one before it fails: a loop device outlives every process.
    await using _lab = this.place.ground.lab;
    await using _port = this.port;
    await using _place = this.place;
    await Promise.resolve();
  }
}

async function open(more: readonly string[] = []): Promise<World> {
  const ground = await openGround();
  const { lab: { dir }, hub, server, issuer } = ground;
  const stick = await makeStick(dir, { server, issuer, more });
  await hub.peer({ privateKey: "", publicKey: stick.publicKey }, "allowed-ips 10.7.0.2/32");
  const port = new Port(`${dir}/port`);
  const place = await Place.open(ground, `[stick]\ndevices = ["${port.path}"]\n[passkeys]\n`);
  return new World({ place, stick, port });
}
