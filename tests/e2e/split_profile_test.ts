/**
 * A profile in two halves whose key is used by hand, one that is taken back, and one that lies beside an
 * OpenPGP card, with the real gateway, hub and cards.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { fileURLToPath } from "node:url";
import { x25519 } from "@noble/curves/ed25519.js";
import type { HubStatus } from "../../hub/hub_status.ts";
import { type Machine, type Running, sleep } from "../lab/machine.ts";
import { Capture } from "../lab/capture.ts";
import { type Needle, searchMemory } from "../lab/memory_search.ts";
import { labTest } from "../lab/needs.ts";
import { startPcscd, startSoftcard } from "../lab/pcscd.ts";
import type { Box } from "../story/box.ts";
import type { Card } from "../story/card.ts";
import { openWorld } from "../story/open_world.ts";
import { HUB, OFFICE } from "../story/plan.ts";
import { PlainTeller } from "../story/teller.ts";
import type { Terminal } from "../story/terminal.ts";
import { enterPin, openOffice, unlock, untilNoEngine, untilPhase } from "../story/visits.ts";
import type { World } from "../story/world.ts";
import { besideOpenPgp, makeOpenPgpCard, type OpenPgpCard } from "./openpgp_card.ts";

const MAIN = fileURLToPath(new URL("../../main.ts", import.meta.url));
const DENO = [Deno.execPath(), "run", "-A", "--cached-only", "--no-prompt", "--no-check", MAIN];
const SHARE_PORT = 51821;

labTest("a split profile, and one that its issuer takes back", async (t) => {
  await using world = await openWorld({ hub: "ours", identity: "sealed" }, new PlainTeller());
  const { boxes: [box], cards: { office: card } } = world;
  const [terminal] = box.site.terminals;
  assert.ok(terminal);
  const issuing = await Issuing.open(world);
  const place: Place = { world, box, terminal, card, issuing };
  await t.step(
    "an OpenPGP card opens the profile beside it, its keys in the engine and nowhere else",
    async () => {
      const openPgp = await issuing.openPgpCard(card);
      await box.stopGateway();
      await issuing.tellGateway(box, `profiles = "${issuing.beside}"`);
      await box.startGateway();
      await besideOpenPgp(openPgp, place);
    },
  );
  await t.step("without the hub's half there is no way in, and the hub says why", () => {
    return withoutHalf(place);
  });
  await t.step(
    "with it the tunnel is up, and no server was asked but the hub",
    () => together(place),
  );
  await t.step("a manual key: packets reach the office while the hub can't answer", () => {
    return withoutAnswer(place);
  });
  await t.step("a hub that is away is no verdict on the card", () => hubAway(place));
  await t.step("taken back: the hub keeps its half, and drops who is up", () => takenBack(place));
  await t.step("taken back: the gateway ends what is up, and refuses the card", () => {
    return gatewayHonours(place);
  });
  await issuing[Symbol.asyncDispose]();
});

interface Place {
  readonly world: World;
  readonly box: Box;
  readonly terminal: Terminal;
  readonly card: Card;
  readonly issuing: Issuing;
}

async function withoutHalf({ box, terminal, card, issuing }: Place): Promise<void> {
  await box.takeAway();
  await issuing.split(card);
  await issuing.startHub();
  await box.insert(card);
  await untilPhase(terminal, box, ["pin-asked"]);
  const answer = await enterPin(terminal, box, card.pin);
  assert.deepEqual([answer.outcome, answer.fault], ["refused", "hub-unknown"]);
  await assert.rejects(openOffice(terminal));
  await box.remove();
  await untilPhase(terminal, box, ["no-card"]);
}

async function together({ box, terminal, card, issuing }: Place): Promise<void> {
  await issuing.giveHalf();
  const { enteredAt, answeredAt } = await unlock(terminal, box, card);
  console.log(`          split, from PIN to up: ${(answeredAt - enteredAt).toFixed(0)} ms`);
  await openOffice(terminal);
  assert.equal((await issuing.status()).shares?.answers["granted"], 1);
  const { privateKey, presharedKey: manualKey } = card;
  assert.ok(privateKey && manualKey);
  const half: Needle = { name: "the hub's half", bytes: (await issuing.half()).subarray(0, 16) };
  const needles: Needle[] = [half, { name: "private key", bytes: privateKey }, {
    name: "manual key",
    bytes: manualKey,
  }];
  const engines = box.engines();
  const during = searchMemory(box.pids(), needles).hits;
  for (const there of ["private key", "manual key"]) {
    assert.ok(during.some(({ needle }) => needle === there), `the search finds the ${there}`);
  }
  assert.deepEqual(during.filter(({ pid }) => !engines.includes(pid)), [], "in the engine only");
  await box.remove();
  await untilPhase(terminal, box, ["no-card"]);
  await untilNoEngine(box);
  assert.deepEqual(searchMemory(box.pids(), needles).hits, [], "nowhere once the card is out");
}

/** The first packets are on their way before the hub has said a word, and none of them is lost. */
async function withoutAnswer({ world, box, terminal, card, issuing }: Place): Promise<void> {
  const { network } = world;
  const at = { machine: network.internet, ifname: box.site.line };
  await using capture = await Capture.start(network.lab, at);
  const { inward } = (await issuing.status()).packets;
  await network.hub.sh(`nft add table inet mute
    nft add chain inet mute out '{ type filter hook output priority 0; }'
    nft add rule inet mute out udp sport ${HUB.port} drop`);
  await unlock(terminal, box, card);
  await assert.rejects(
    terminal.do("open", { url: `http://${OFFICE.web.address}/`, timeoutMs: 2000 }),
  );
  const mute = await issuing.status();
  assert.ok(mute.packets.inward > inward, "the terminal's packets went through the hub");
  const client = mute.clients.find(({ publicKey }) => publicKey === card.publicKey);
  assert.equal(client?.keys, "manual");
  const seen = (await capture.packets()).filter(({ kind, destinationPort, sourcePort }) =>
    kind === "udp" && [destinationPort, sourcePort].includes(HUB.port)
  );
  assert.ok(seen.every(({ destinationPort }) => destinationPort === HUB.port), "no answer came");
  const types = seen.map(({ payload }) => payload[0]);
  assert.deepEqual(types.slice(0, 2), [128, 4], "data follows the announcement");
  assert.ok(types.every((type) => type === 128 || type === 4), "and nobody shook hands");
  await network.hub.sh("nft delete table inet mute");
  await openOffice(terminal);
  const kept: unknown = JSON.parse(await Deno.readTextFile(issuing.announced));
  assert.match(String(Object(kept)[card.publicKey]), /^40{7}[0-9a-f]{16}$/, "and is remembered");
  const [after] = (await issuing.status()).clients.filter(({ keys }) => keys === "manual");
  assert.ok((after?.lastHandshake ?? 0) > 0, "then the hub's answer counts");
  await box.remove();
  await untilPhase(terminal, box, ["no-card"]);
}

async function hubAway({ box, terminal, card, issuing }: Place): Promise<void> {
  await issuing.stopHub();
  await box.insert(card);
  await untilPhase(terminal, box, ["pin-asked"]);
  const answer = await enterPin(terminal, box, card.pin);
  assert.equal(answer.outcome, "failed");
  assert.match(JSON.stringify(answer), /Cannot ask the hub at .* for its half/);
  await box.remove();
  await untilPhase(terminal, box, ["no-card"]);
  await issuing.startHub();
  await unlock(terminal, box, card);
  await openOffice(terminal);
}

async function takenBack({ box, terminal, card, issuing }: Place): Promise<void> {
  // It is up: the hub takes the client out within seconds, and others are not touched.
  await issuing.revoke("lost");
  await eventually("the hub to drop the client", async () => {
    return (await issuing.status()).revoked?.includes("card 1") ?? false;
  });
  assert.equal((await issuing.status()).clients.length, 1, "the other client is there");
  await assert.rejects(
    terminal.do("open", { url: `http://${OFFICE.web.address}/`, timeoutMs: 3000 }),
  );
  await box.remove();
  await untilPhase(terminal, box, ["no-card"]);
  await box.insert(card);
  await untilPhase(terminal, box, ["pin-asked"]);
  const answer = await enterPin(terminal, box, card.pin);
  assert.deepEqual([answer.outcome, answer.fault], ["refused", "revoked"]);
  await box.remove();
  await untilPhase(terminal, box, ["no-card"]);
}

async function gatewayHonours({ box, terminal, card, issuing }: Place): Promise<void> {
  await issuing.restore();
  await box.stopGateway();
  await issuing.tellGateway(box);
  await box.startGateway();
  await eventually("the hub to take the client again", async () => {
    return (await issuing.status()).clients.length === 2;
  });
  await unlock(terminal, box, card);
  await openOffice(terminal);
  const started = performance.now();
  await issuing.revoke("stolen");
  const state = await untilPhase(terminal, box, ["refused"]);
  assert.equal(state.fault, "revoked");
  console.log(
    `          taken back, to the session's end: ${Math.round(performance.now() - started)} ms`,
  );
  await untilNoEngine(box);
  await assert.rejects(openOffice(terminal));
  await box.remove();
  await untilPhase(terminal, box, ["no-card"]);
  await box.insert(card);
  assert.equal((await untilPhase(terminal, box, ["refused", "pin-asked"])).fault, "revoked");
  await box.remove();
  await untilPhase(terminal, box, ["no-card"]);
  // The list's file is lost: what was taken back stays so, also after a restart.
  await box.stopGateway();
  await issuing.loseList();
  await box.startGateway();
  await box.insert(card);
  assert.equal((await untilPhase(terminal, box, ["refused", "pin-asked"])).fault, "revoked");
  await box.remove();
}

/** The station, and the hub that keeps halves. */
class Issuing implements AsyncDisposable {
  readonly #world: World;
  readonly #dir: string;
  readonly #machine: Machine;
  readonly #hubKey: string;
  #hub: Running | undefined;
  #summary: { profile: string; card: string; generation: number } | undefined;

  private constructor(world: World, parts: { machine: Machine; hubKey: string; dir: string }) {
    this.#world = world;
    this.#machine = parts.machine;
    this.#hubKey = parts.hubKey;
    this.#dir = parts.dir;
  }

  static async open(world: World): Promise<Issuing> {
    const { lab } = world.network;
    const machine = await lab.machine("station");
    await machine.quickAckLoopback();
    await startPcscd(machine);
    const dir = `${lab.dir}/split`;
    await Deno.mkdir(`${dir}/shares`, { recursive: true, mode: 0o700 });
    await Deno.chmod(`${dir}/shares`, 0o700);
    const secret = new Uint8Array(randomBytes(32));
    await Deno.writeTextFile(`${dir}/shares.key`, `${secret.toBase64()}\n`, { mode: 0o600 });
    const hubKey = x25519.getPublicKey(secret).toBase64();
    const issuing = new Issuing(world, { machine, hubKey, dir });
    await issuing.#token("revoke", "--profile", "none-yet");
    return issuing;
  }

  /** Issues the card's profile again, with the same keys, in two halves. */
  async split(card: Card): Promise<void> {
    const { lab } = this.#world.network;
    const running = await startSoftcard(this.#machine, { state: card.state, pin: card.pin });
    try {
      const said = await this.#run([
        ...["import", `${lab.dir}/cards/office.conf`, "--json", "--client-id", "office"],
        ...["--issuer", `${lab.dir}/cards/issuer.jwk`, "--user-name", card.holder],
        ...["--expires", "90d", "--domain", OFFICE.domain, "--psk-out", `${this.#dir}/psk`],
        ...["--suite", "wireguard-manual-1"],
        ...["--share-hub", `${HUB.line.box.address}:${SHARE_PORT}`],
        ...["--share-hub-key", this.#hubKey, "--share-out", `${this.#dir}/office.share`],
      ]);
      this.#summary = JSON.parse(said);
    } finally {
      await running.stop();
    }
  }

  /** What the hub remembers of manual keys. */
  get announced(): string {
    return `${this.#dir}/manual/announced.json`;
  }

  /** The folder of profiles that lie beside their cards. */
  get beside(): string {
    return `${this.#dir}/beside`;
  }

  /** A card with an OpenPGP key and nothing else of ours; beside it the office client's profile. */
  async openPgpCard(office: Card): Promise<OpenPgpCard> {
    await Deno.mkdir(this.beside);
    return await makeOpenPgpCard(office, {
      dir: this.#dir,
      profile: `${this.beside}/office.profile`,
      import: async (state, args) => {
        const { dir } = this.#world.network.lab;
        const running = await startSoftcard(this.#machine, { state });
        await this.#run([
          ...["import", `${dir}/cards/office.conf`, "--issuer", `${dir}/cards/issuer.jwk`],
          ...["--client-id", "office", "--domain", OFFICE.domain, ...args],
        ]).finally(() => running.stop());
      },
    });
  }

  async startHub(): Promise<void> {
    const { hub: machine, lab } = this.#world.network;
    const path = `${lab.dir}/hub/hub.toml`;
    if (this.#hub === undefined) {
      await this.#world.hub.stop();
      const issuer = (await this.#run(["issuer-key", "--show", `${lab.dir}/cards/issuer.jwk`]))
        .trim();
      const { profile, card, generation } = this.#summary ?? {};
      const before = await Deno.readTextFile(path);
      const client = `name = "card 1"\ntoken = { card = "${card}", profile = "${profile}", ` +
        `generation = ${generation} }`;
      await Deno.writeTextFile(
        path,
        before.replace('name = "card 1"', client).replace("preshared_key", "manual_key").replace(
          /^run = .*$/m,
          (run) =>
            `${run}
manual_state = "${this.#dir}/manual"
[token]
issuers = ["${issuer}"]
revocations = ["${this.#dir}/revoked.jws"]
state = "${this.#dir}/kept"
[shares]
listen = "${HUB.line.box.address}:${SHARE_PORT}"
private_key_file = "${this.#dir}/shares.key"
folder = "${this.#dir}/shares"
`,
        ),
      );
    }
    this.#hub = await machine.spawn([...DENO, "hub", "--config", path], { stderr: "inherit" });
    await eventually("the hub to answer", async () => {
      return (await machine.run([...DENO, "hub", "status", "--config", path])).code === 0;
    });
  }

  async stopHub(): Promise<void> {
    await this.#hub?.stop();
  }

  async giveHalf(): Promise<void> {
    await Deno.rename(`${this.#dir}/office.share`, `${this.#dir}/shares/office.share`);
    this.#hub?.signal("SIGHUP");
    await eventually("the hub to read it", async () => (await this.status()).shares?.shares === 1);
  }

  /** The hub's share, as its file has it. */
  async half(): Promise<Uint8Array> {
    const [, payload = ""] = (await Deno.readTextFile(`${this.#dir}/shares/office.share`)).split(
      ".",
    );
    const json = new TextDecoder().decode(
      Uint8Array.fromBase64(payload, { alphabet: "base64url" }),
    );
    return Uint8Array.fromBase64(JSON.parse(json).share, { alphabet: "base64url" });
  }

  async revoke(reason: string): Promise<void> {
    await this.#token("revoke", "--profile", this.#summary?.profile ?? "", "--reason", reason);
  }

  async restore(): Promise<void> {
    await this.#token("revoke", "--profile", this.#summary?.profile ?? "", "--restore");
  }

  async loseList(): Promise<void> {
    await Deno.remove(`${this.#dir}/revoked.jws`);
  }

  /** Adds a line to `[token]` of the gateway's configuration; by default the list's. */
  async tellGateway(box: Box, line = `revocations = ["${this.#dir}/revoked.jws"]`): Promise<void> {
    const path = `${this.#world.network.lab.dir}/${box.site.plan.name}/gateway.toml`;
    const text = await Deno.readTextFile(path);
    await Deno.writeTextFile(path, text.replace("[token]", `[token]\n${line}`));
  }

  async status(): Promise<HubStatus> {
    const { hub: machine, lab } = this.#world.network;
    const { stdout } = await machine.run([
      ...[...DENO, "hub", "status", "--config", `${lab.dir}/hub/hub.toml`],
    ]);
    return JSON.parse(stdout);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stopHub();
  }

  async #token(command: string, ...args: string[]): Promise<string> {
    const { lab } = this.#world.network;
    return await this.#run([
      ...[command, "--issuer", `${lab.dir}/cards/issuer.jwk`],
      ...["--list", `${this.#dir}/revoked.jws`, ...args],
    ]);
  }

  async #run(args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.#machine.run([...DENO, "token", ...args]);
    if (code !== 0) throw new Error(`token ${args[0]}: ${stderr.trim()} (${code})`);
    return stdout;
  }
}

async function eventually(what: string, check: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 30_000; Date.now() < end; await sleep(100)) {
    if (await check()) return;
  }
  throw new Error(`Waited in vain for ${what}`);
}
