/** A stick in the gateway's USB port is a token as a card is: insertion, password, removal, expiry. */
import assert from "node:assert/strict";
import { sealPin } from "../../token/pin/seal.ts";
import { WireguardEnd } from "../interop/wireguard.ts";
import { Lab } from "../lab/lab.ts";
import { type Machine, type Running, sleep } from "../lab/machine.ts";
import { searchMemory } from "../lab/memory_search.ts";
import { labTest } from "../lab/needs.ts";
import { enginePids } from "../story/observer.ts";
import {
  LoopDevice,
  MAIN,
  makeIssuer,
  makeStick,
  PASSWORD,
  secretsOf,
  type TestStick,
} from "./stick.ts";

const PORTAL = "https://192.168.80.1";
/** A generous bound on what happens by itself. */
const LIMIT_MS = 60_000;

labTest("a stick in the gateway's port: asked for, opened, pulled, erased", async () => {
  await using world = await open();
  const { box, terminal, stick, port } = world;
  assert.equal((await world.portal()).phase, "no-card");
  const needles = await secretsOf(stick);

  let insertedAt = performance.now();
  await port.insert(stick.image);
  const asked = await world.until("pin-asked");
  console.log(`from insertion to the prompt: ${Math.round(performance.now() - insertedAt)} ms`);
  assert.equal(asked.holder, "Alice Example");
  const sent = await terminal.run(["ping", "-c", "1", "-W", "1", "10.7.0.1"]);
  assert.notEqual(sent.code, 0, "nothing passes before the password");

  assert.deepEqual(await world.enter("no such password"), { outcome: "wrong-pin", triesLeft: 4 });
  const enteredAt = performance.now();
  assert.deepEqual(await world.enter(PASSWORD), { outcome: "up" });
  console.log(`from the password to the answer: ${Math.round(performance.now() - enteredAt)} ms`);
  await world.reach();

  const [engine] = enginePids(box.pids());
  assert.ok(engine !== undefined);
  const during = searchMemory([engine], needles).hits.map(({ needle }) => needle);
  assert.ok(during.includes("private key"), "the search finds what is there");
  insertedAt = performance.now();
  await port.pull();
  await world.gone(engine);
  console.log(
    `from the pull to the engine's end: ${Math.round(performance.now() - insertedAt)} ms`,
  );
  await world.until("no-card");
  assert.deepEqual(searchMemory([box.pid, ...box.pids()], needles).hits, []);
  assert.notEqual((await terminal.run(["ping", "-c", "1", "-W", "1", "10.7.0.1"])).code, 0);

  // Put in again, it is asked for again.
  await port.insert(stick.image);
  await world.until("pin-asked");
  assert.deepEqual(await world.enter(PASSWORD), { outcome: "up" });
  await world.reach();
  await port.pull();
  await world.until("no-card");
});

labTest("sticks that a gateway doesn't take each have their word", async () => {
  await using world = await open();
  const { lab, stick, port, server } = world;
  const word = async (image: string) => {
    await port.insert(image);
    const state = await world.until(/^(refused|expired|pin-asked|failed)$/);
    await port.pull();
    await world.until("no-card");
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

  const soon = new Date(Date.now() + 15_000).toISOString();
  const short = await makeStick(lab.dir, {
    ...{ server, name: "short", issuer: stick.issuer, more: ["--expires", soon] },
  });
  while (Date.now() < Date.parse(soon)) await sleep(200);
  assert.equal(await word(short.image), "expired");
  assert.equal(await word(stick.image), "pin-asked", "and the good one is still good");
});

labTest(
  "a session of a stick ends when the profile expires; wrong entries are held back",
  async () => {
    await using world = await open(["--ask-user-id", "yes"]);
    const { box, lab, stick, port, server } = world;
    await port.insert(stick.image);
    const asked = await world.until("pin-asked");
    assert.deepEqual([asked.asksUserId, asked.holder, asked.triesLeft], [
      ...[true, undefined, undefined],
    ]);
    assert.deepEqual(await world.enter(PASSWORD), { outcome: "stale" }, "no try without the id");
    const mistyped = "alicia-of-the-second-floor";
    for (const userId of [mistyped, "alice", mistyped, "alice"]) {
      const password = userId === mistyped ? PASSWORD : "no such password";
      assert.deepEqual(await world.enter(password, userId), { outcome: "wrong-id-or-pin" });
    }
    const needle = { name: "typed id", bytes: new TextEncoder().encode(mistyped) };
    assert.deepEqual(searchMemory([box.pid, ...box.pids()], [needle]).hits, []);
    const journal = await Deno.readFile(`${lab.dir}/state/gateway.db`);
    const written = await Deno.readFile(`${lab.dir}/state/gateway.db-wal`);
    const kept = new TextDecoder("latin1").decode(Uint8Array.from([...journal, ...written]));
    assert.ok(kept.includes("user-id-wrong") && !kept.includes(mistyped));
    const fifth = await world.enter("no such password", "alice");
    assert.equal(fifth.outcome, "failed");
    assert.match(String(fifth.reason), /5 times a wrong user id or password; wait, then try again/);
    assert.equal((await world.portal()).phase, "failed", "not asked again at once");
    await world.until("pin-asked");
    assert.deepEqual(await world.enter(PASSWORD, "Alice"), { outcome: "up" });
    await port.pull();
    await world.until("no-card");

    const end = Date.now() + 60_000;
    const short = await makeStick(lab.dir, {
      ...{ server, name: "short", issuer: stick.issuer },
      more: ["--expires", new Date(end).toISOString()],
    });
    await port.insert(short.image);
    await world.until("pin-asked");
    assert.deepEqual(await world.enter(PASSWORD), { outcome: "up" });
    await world.until("expired");
    assert.ok(Date.now() >= end - 1000);
    assert.deepEqual(enginePids(world.box.pids()), []);
  },
);

interface PortalState {
  readonly phase: string;
  readonly holder?: string;
  readonly asksUserId?: true;
  readonly triesLeft?: number;
  readonly fault?: string;
  readonly target?: { readonly engine: string; readonly publicKey: string };
}

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
  readonly lab: Lab;
  readonly box: Machine;
  readonly terminal: Machine;
  readonly server: { key: string; endpoint: string };
  readonly stick: TestStick;
  readonly port: Port;
  readonly #gateway: Running;

  constructor(parts: {
    lab: Lab;
    box: Machine;
    terminal: Machine;
    server: { key: string; endpoint: string };
    stick: TestStick;
    port: Port;
    gateway: Running;
  }) {
    ({ lab: this.lab, box: this.box, terminal: this.terminal } = parts);
    ({ server: this.server, stick: this.stick, port: this.port } = parts);
    this.#gateway = parts.gateway;
  }

  async portal(): Promise<PortalState> {
    return JSON.parse(await this.terminal.sh(`curl -sk -m 10 ${PORTAL}/api/portal`));
  }

  async until(phase: string | RegExp): Promise<PortalState> {
    for (const end = Date.now() + LIMIT_MS;;) {
      const state = await this.portal();
      if (typeof phase === "string" ? state.phase === phase : phase.test(state.phase)) return state;
      if (Date.now() > end) throw new Error(`Still ${JSON.stringify(state)}, not ${phase}`);
      await sleep(20);
    }
  }

  /** Enters a password as the page does. */
  async enter(password: string, userId?: string): Promise<Record<string, unknown>> {
    const { target } = await this.portal();
    assert.ok(target, "a password is asked for");
    const publicKey = Uint8Array.fromBase64(target.publicKey, { alphabet: "base64url" });
    const { engine } = target;
    const to = { publicKey, engine, userId };
    const sealed = await sealPin(new TextEncoder().encode(password), to);
    const text = (bytes: Uint8Array) =>
      bytes.toBase64({ alphabet: "base64url", omitPadding: true });
    const body = { engine, enc: text(sealed.enc), ciphertext: text(sealed.ciphertext) };
    const { stdout } = await this.terminal.run([
      ...["curl", "-sk", "-m", "200", "-H", `Origin: ${PORTAL}`, "--data-binary", "@-"],
      ...["-H", "Content-Type: application/json", `${PORTAL}/api/pin`],
    ], { input: JSON.stringify(body) });
    return JSON.parse(stdout);
  }

  /** The terminal reaches what is behind the tunnel. */
  async reach(): Promise<void> {
    for (const end = Date.now() + LIMIT_MS; Date.now() < end;) {
      if ((await this.terminal.run(["ping", "-c", "1", "-W", "1", "10.7.0.1"])).code === 0) return;
    }
    throw new Error("The terminal reaches nothing through the tunnel");
  }

  async gone(pid: number): Promise<void> {
    for (const end = Date.now() + LIMIT_MS; enginePids(this.box.pids()).includes(pid);) {
      if (Date.now() > end) throw new Error(`Engine ${pid} is still there`);
      await sleep(5);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Given back in turn, also when one before it fails: a loop device outlives every process.
    await using _lab = this.lab;
    await using _port = this.port;
    await this.#gateway.stop(20_000);
  }
}

async function open(more: readonly string[] = []): Promise<World> {
  const lab = await Lab.open();
  const [box, terminal, internet] = [
    await lab.machine("box"),
    await lab.machine("terminal"),
    await lab.machine("internet"),
  ];
  await lab.link(terminal, "eth0", box, "lan0");
  await lab.link(box, "wan0", internet, "eth0");
  await terminal.sh(`ip addr add 192.168.80.50/24 dev eth0; ip route add default via 192.168.80.1`);
  await box.sh("ip addr add 192.0.2.1/24 dev wan0; ip route add default via 192.0.2.2");
  await internet.sh("ip addr add 192.0.2.2/24 dev eth0");
  const hub = await WireguardEnd.start(internet, { implementation: "wireguard-go" });
  await hub.address("10.7.0.1/24");
  const server = { key: hub.keys.publicKey, endpoint: "192.0.2.2:51820" };
  const issuer = await makeIssuer(lab.dir);
  const stick = await makeStick(lab.dir, { server, issuer, more });
  await hub.peer({ privateKey: "", publicKey: stick.publicKey }, "allowed-ips 10.7.0.2/32");
  const port = new Port(`${lab.dir}/port`);
  const config = `${lab.dir}/gateway.toml`;
  await Deno.writeTextFile(
    config,
    `name = "box"
state = "${lab.dir}/state"
run = "/run/sekisho"
[lan]
interface = "lan0"
address = "192.168.80.1/24"
[internet]
interface = "wan0"
[stick]
devices = ["${port.path}"]
[token]
issuers = ["${issuer}"]
`,
  );
  const gateway = await box.spawn([
    ...[Deno.execPath(), "run", "-A", "--no-prompt", "--no-check", "--cached-only", MAIN],
    ...["gateway", "--config", config],
  ], { stderr: "inherit", env: { DENO_NO_UPDATE_CHECK: "1" } });
  const world = new World({ lab, box, terminal, server, stick, port, gateway });
  let over = false;
  void gateway.status.then(() => over = true);
  while ((await terminal.run(["curl", "-sk", "-o", "/dev/null", `${PORTAL}/`])).code !== 0) {
    if (over) throw new Error("The gateway ended; see its own message");
    await sleep(50);
  }
  return world;
}
