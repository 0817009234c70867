/** A passkey at a gateway's portal, in a real browser with a virtual authenticator. */
import assert from "node:assert/strict";
import type { CDPSession, Page } from "playwright-core";
import { fileURLToPath } from "node:url";
import { type Needle, searchMemory } from "../lab/memory_search.ts";
import { startPcscd, startSoftcard } from "../lab/pcscd.ts";
import type { Box } from "../story/box.ts";
import type { Card } from "../story/card.ts";
import { secretsOf } from "../story/secrets.ts";
import type { Terminal } from "../story/terminal.ts";
import { openOffice, untilNoEngine, untilPhase } from "../story/visits.ts";
import type { World } from "../story/world.ts";
import { says, TerminalBrowser } from "./terminal_browser.ts";

const MAIN = fileURLToPath(new URL("../../main.ts", import.meta.url));
const DENO = [Deno.execPath(), "run", "-A", "--cached-only", "--no-prompt", "--no-check", MAIN];

interface Place {
  readonly world: World;
  readonly box: Box;
  readonly terminal: Terminal;
  readonly card: Card;
}

/** Added with the PIN, used in its place, found in no memory, and told from another one. */
export async function passkeyInBrowser({ world, box, terminal, card }: Place): Promise<void> {
  await using browser = await TerminalBrowser.open(terminal.machine, box);
  const page = await browser.page();
  const bodies: string[] = [];
  page.on("request", (request) => {
    if (request.method() === "POST") bodies.push(request.postData() ?? "");
  });
  await page.addInitScript(listenToPasskeys);
  const authenticator = await Authenticator.plug(page);
  await box.insert(card);
  await untilPhase(terminal, box, ["pin-asked"]);

  // By its address the portal can't ask for a passkey: it leads to its name.
  await page.goto(box.portal);
  await says(page, ".passkey", `Use a passkey: at ${box.site.plan.name}.internal`);
  await page.click(".passkey a");
  await page.waitForURL(`https://${box.site.plan.name}.internal/`);
  await says(page, "h1", "Enter your PIN");
  assert.equal(await page.locator("[data-action=passkey]").count(), 0, "there is none yet");

  await page.click(".passkey summary");
  await page.fill("#pin", card.pin);
  await page.fill("#passkey-name", "Hana's key");
  await page.press("#passkey-name", "Enter");
  await says(page, "#alert", "The passkey was added.");
  await says(page, "h1", "You are connected");
  await openOffice(terminal);
  const prf = await answers(page);
  assert.equal(prf.length, 2, "one question, two answers");
  await inEngineOnly({ box, terminal, card }, prf);

  // Out and in: no PIN any more.
  await box.insert(card);
  await says(page, "h1", "Enter your PIN");
  await page.click("[data-action=passkey]");
  await says(page, "h1", "You are connected");
  await openOffice(terminal);
  assert.deepEqual(await answers(page), [...prf, ...prf], "the same question, the same answers");
  await inEngineOnly({ box, terminal, card }, prf);
  const right = bodies.at(-1) ?? "";
  assert.equal(JSON.parse(right).way, "passkey");

  const kept = await box.gateway("--passkeys");
  assert.match(kept.stdout, /^\S+ {2}Hana's key {2}\S+\n {2}passkey1\.\S+\n$/);
  const word = kept.stdout.trim().split("\n").at(-1)?.trim() ?? "";
  const forgotten = await box.gateway("--forget-passkey", word);
  assert.match(forgotten.stdout, /^The passkey Hana's key of \S+ is forgotten\.$/m);
  assert.equal((await box.gateway("--forget-passkey", word)).code, 1);
  await box.insert(card);
  await says(page, "h1", "Enter your PIN");
  assert.equal(await page.locator("[data-action=passkey]").count(), 0, "it opens nothing here");
  await box.takeAway();
  await untilPhase(terminal, box, ["no-card"]);

  // In the card's own profile it opens at any gateway of that name, also at one that keeps nothing.
  await putIntoCard({ world, card }, word);
  await box.insert(card);
  await says(page, "h1", "Enter your PIN");
  await page.click("[data-action=passkey]");
  await says(page, "h1", "You are connected");
  await openOffice(terminal);
  await box.remove();
  await untilPhase(terminal, box, ["no-card"]);

  await box.insert(card);
  await says(page, "h1", "Enter your PIN");
  assert.equal((await send(page, right)).outcome, "stale", "an answer to the engine before");
  const { target } = await untilPhase(terminal, box, ["pin-asked"]);
  const renamed = JSON.stringify({ ...JSON.parse(right), engine: target?.engine });
  assert.equal((await send(page, renamed)).outcome, "stale", "also under the new one's name");

  await authenticator.unplug();
  const other = await Authenticator.plug(page);
  await page.click("[data-action=passkey]");
  await says(page, "#alert", "No passkey was used.");
  await makeAnother(page);
  await page.click("[data-action=passkey]");
  await says(page, "#alert", "This passkey doesn't open this profile. 4 tries left.");
  assert.equal((await send(page, bodies.at(-1) ?? "")).outcome, "stale", "taken once");
  const { triesLeft } = await untilPhase(terminal, box, ["pin-asked"]);
  assert.equal(triesLeft, 3, "no try of the card's is spent");
  await other.unplug();
  await box.takeAway();
  await untilPhase(terminal, box, ["no-card"]);
}

/** At a station: the word that a gateway told goes into the profile on the card. */
async function putIntoCard(
  { world, card }: Pick<Place, "world" | "card">,
  word: string,
): Promise<void> {
  const machine = await world.network.lab.machine("passkey-station");
  await machine.quickAckLoopback();
  await startPcscd(machine);
  const running = await startSoftcard(machine, { state: card.state, pin: card.pin });
  const { code, stdout, stderr } = await machine.run(
    [...DENO, "token", "passkey", "add", word, "--pin-stdin"],
    { input: `${card.pin}\n` },
  );
  await running.stop();
  assert.equal(code, 0, stderr);
  assert.equal(stdout, "These passkeys open this profile: Hana's key.\n");
}

/** What the passkey said and what it opened: in the engine at most, and nowhere once the card is out. */
async function inEngineOnly(
  { box, terminal, card }: Omit<Place, "world">,
  prf: readonly Uint8Array[],
): Promise<void> {
  const secrets: Needle[] = [
    ...secretsOf(card).filter(({ kind }) => kind !== "PIN"),
    ...prf.map((bytes, index) => ({ name: `a passkey's answer ${index + 1}`, bytes })),
  ];
  const engines = box.engines();
  const during = searchMemory(box.pids(), secrets).hits;
  assert.deepEqual(during.filter(({ pid }) => !engines.includes(pid)), [], "in the engine only");
  assert.ok(during.some(({ needle }) => needle === "file key"), "the search finds what is there");
  await box.remove();
  await untilPhase(terminal, box, ["no-card"]);
  await untilNoEngine(box);
  assert.deepEqual(searchMemory(box.pids(), secrets).hits, [], "nowhere once the card is out");
}

/** A security key with a fingerprint that always fits, as the browser's own test interface has it. */
class Authenticator {
  readonly #session: CDPSession;
  readonly #id: string;

  private constructor(session: CDPSession, id: string) {
    this.#session = session;
    this.#id = id;
  }

  static async plug(page: Page): Promise<Authenticator> {
    const session = await page.context().newCDPSession(page);
    await session.send("WebAuthn.enable");
    const { authenticatorId } = await session.send("WebAuthn.addVirtualAuthenticator", {
      options: {
        protocol: "ctap2",
        transport: "internal",
        hasResidentKey: true,
        hasUserVerification: true,
        isUserVerified: true,
        hasPrf: true,
      },
    });
    return new Authenticator(session, authenticatorId);
  }

  async unplug(): Promise<void> {
    await this.#session.send("WebAuthn.removeVirtualAuthenticator", { authenticatorId: this.#id });
  }
}

/** In the page: keeps what passkeys answer, so that it can be looked for elsewhere. */
function listenToPasskeys(): void {
  const heard: string[] = [];
  Object.assign(globalThis, { heard });
  const { credentials } = navigator;
  for (const name of ["get", "create"] as const) {
    const ask = credentials[name].bind(credentials);
    credentials[name] = async (options?: object) => {
      const answer = await ask(options);
      const results = (answer as PublicKeyCredential).getClientExtensionResults().prf?.results;
      for (const one of [results?.first, results?.second]) {
        if (one === undefined) continue;
        heard.push(
          Array.from(
            new Uint8Array(one as ArrayBuffer),
            (byte) => byte.toString(16).padStart(2, "0"),
          )
            .join(""),
        );
      }
      return answer;
    };
  }
}

async function answers(page: Page): Promise<Uint8Array[]> {
  const heard = await page.evaluate(() => (globalThis as unknown as { heard: string[] }).heard);
  return heard.map((text) => Uint8Array.fromHex(text));
}

/** Another passkey of the same site, which nobody has added. */
async function makeAnother(page: Page): Promise<void> {
  await page.evaluate(async () => {
    await navigator.credentials.create({
      publicKey: {
        rp: { name: "another" },
        user: { id: new Uint8Array(16), name: "another", displayName: "another" },
        challenge: new Uint8Array(16),
        pubKeyCredParams: [{ type: "public-key", alg: -7 }],
        authenticatorSelection: { residentKey: "required", userVerification: "required" },
        extensions: { prf: {} },
      },
    });
  });
}

async function send(page: Page, body: string): Promise<{ outcome: string }> {
  return await page.evaluate(async (body) => {
    const headers = { "Content-Type": "application/json" };
    return await (await fetch("/api/pin", { method: "POST", headers, body })).json();
  }, body);
}
