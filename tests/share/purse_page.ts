/** The purse's page at a terminal, in a real browser that stands on that terminal's network. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { type Browser, chromium, type Page } from "playwright-core";
import type { Machine } from "../lab/machine.ts";
import { rarePin } from "../lab/rare_pin.ts";
import type { Box } from "../story/box.ts";
import type { ApiClient } from "./api_client.ts";
import { until } from "./shared_world.ts";

const MAIN = fileURLToPath(new URL("../../main.ts", import.meta.url));
const CHROMIUM = "/usr/bin/chromium";
/** Only keeps a broken page from hanging the run. */
const PATIENCE_MS = 60_000;
const MERCHANT = "4d45524348414e54";

/** An issuer's station: a folder with the issuer's file, and a PIN for the purse that it makes. */
export class PurseStation {
  readonly pin = rarePin();
  readonly #dir: string;

  constructor(dir: string) {
    this.#dir = dir;
  }

  /** Shell lines that put a purse on the card in the reader. */
  get installing(): string {
    const purse = `${Deno.execPath()} run -A --cached-only --no-prompt ${MAIN} token purse`;
    return `${purse} issuer --out ${this.#dir}/purses
      echo ${this.pin} | ${purse} install --issuer ${this.#dir}/purses --funds 20000 --pin-stdin`;
  }

  /** Runs `token purse` away from any card; what it printed. */
  async run(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "-A", "--cached-only", "--no-prompt", "--quiet", MAIN, "token", "purse"],
        ...[...args, "--issuer", `${this.#dir}/purses`],
      ],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).output();
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    return { code, stdout: text(stdout), stderr: text(stderr) };
  }

  /** Brings receipts for settlement; what the issuer says. */
  async settle(receipts: readonly string[]): Promise<string> {
    const file = `${this.#dir}/receipts`;
    await Deno.writeTextFile(file, receipts.map((one) => `${one}\n`).join(""));
    const { code, stdout, stderr } = await this.run("settle", file);
    assert.equal(code, 0, stderr);
    return stdout;
  }
}

/** Why there can be no browser here. */
export function missingBrowser(): string | undefined {
  try {
    return Deno.statSync(CHROMIUM).isFile ? undefined : `needs ${CHROMIUM}`;
  } catch {
    return `needs ${CHROMIUM}`;
  }
}

/** A browser on a terminal of the lab. */
export async function browserAt(machine: Machine, dir: string): Promise<Browser> {
  const path = `${dir}/browser-of-${machine.name}`;
  await Deno.writeTextFile(
    path,
    `#!/bin/sh\nexec ${machine.prefix().join(" ")} ${CHROMIUM} "$@"\n`,
  );
  await Deno.chmod(path, 0o755);
  return await chromium.launch({
    executablePath: path,
    args: ["--no-sandbox"],
    timeout: 2 * PATIENCE_MS,
  });
}

/**
 * A terminal opens the page while `other` has the card, gets its turn, tops up by the issuer's
 * answer, pays with and without the PIN, and `other` waits meanwhile.
 */
export async function useThePurse(
  browser: Browser,
  { box, station, other }: { box: Box; station: PurseStation; other: ApiClient },
): Promise<void> {
  const context = await browser.newContext({ ignoreHTTPSErrors: true, locale: "en-GB" });
  context.setDefaultTimeout(PATIENCE_MS);
  const page = await context.newPage();
  const problems: string[] = [];
  page.on("pageerror", (error) => problems.push(error.message));
  const bodies: string[] = [];
  page.on("request", (request) => bodies.push(request.url() + (request.postData() ?? "")));

  const held = await other.granted();
  await other.keeping(held.id, async () => {
    await page.goto(`${box.portal}/purse`);
    await page.click("[data-form=start] button");
    await says(page, "main", "The card reader is busy: terminal-1 uses the card.");
    await says(page, "#place", "You are next.");
  });
  await other.release(held.id);
  await says(page, "#balance", "¥0");
  const waits = await other.request();
  assert.equal(waits.state, "waiting");
  await until("it waits behind the page", async () => {
    const { body } = await other.ask("GET", `/leases/${waits.id}`);
    return body.holder === "terminal-2" && body.place === 1;
  });

  // The question goes to the issuer, and the card to whoever waits: it keeps the question.
  await page.fill("#credit", "8000");
  await page.click("[data-form=ask] button");
  await says(page, "h2", "Top up ¥8,000");
  assert.equal((await other.settled(waits.id)).state, "granted");
  await other.release(waits.id);
  const question = await page.locator("#question-code").innerText();
  const answered = await station.run("answer", question);
  assert.equal(answered.code, 0, answered.stderr);
  assert.match((await station.run("answer", question)).stderr, /was answered at/);
  await page.fill("#answer", answered.stdout);
  await page.click("[data-form=bring] [type=submit]");
  await says(page, "#receipt", "¥8,000");
  await page.click("[data-action=back]");
  await says(page, "#balance", "¥8,000");

  const pay = async (amount: string) => {
    await page.fill("#amount", amount);
    await page.fill("#payee", MERCHANT);
    await page.click("[data-form=pay] button");
    await says(page, "#question", "to 4D45 5243 4841 4E54?");
  };
  await pay("1000");
  await page.click("[data-action=back]");
  await says(page, "#balance", "¥8,000");
  await pay("4000");
  await page.click("[data-form=confirm] [type=submit]");
  await says(page, "#alert", "asks for its PIN first");
  await page.fill("#purse-pin", station.pin);
  await page.click("[data-form=confirm] [type=submit]");
  await says(page, "#receipt", "¥4,000");
  assert.ok(!bodies.some((body) => body.includes(station.pin)), "no PIN leaves the page as it is");
  const receipt = (await page.locator("#receipt-code").innerText()).trim();
  await page.click("[data-action=back]");
  await says(page, "#balance", "¥4,000");
  await page.click("[data-form=done] button");
  await says(page, "[data-step=start]", "Use the card");

  const settled = await station.settle([receipt, receipt]);
  assert.match(settled, new RegExp(`^${MERCHANT}: 4000 by 1 new receipts`, "m"));
  assert.match(settled, /^1 new, 1 seen before, 0 refused$/m);
  assert.deepEqual(problems, []);
  await context.close();
}

/** Waits until the first match shows this text, white space apart. */
async function says(page: Page, selector: string, text: string): Promise<void> {
  const flat = (value: string) => value.replaceAll("￥", "¥").replaceAll(/\s+/g, " ");
  const locator = page.locator(selector).first();
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const shown = flat(await locator.innerText({ timeout: 1_000 }).catch(() => ""));
    if (shown.includes(flat(text))) return;
    if (Date.now() > deadline) {
      assert.fail(`${selector} says "${shown}", not "${text}": ${await page.innerText("main")}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
