/** The portal and the panel in a real browser, over TLS on loopback, against a gateway in memory. */
import assert from "node:assert/strict";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import type { CardView, GatewayStatus } from "../../gateway/view.ts";
import { judge } from "../../token/capabilities/judge.ts";
import { buildWeb } from "../../web/build.ts";
import { serveGatewayWeb } from "../../web/gateway_web.ts";
import { testCertificate } from "./certificate.ts";
import { FAKE_PASSWORD, FakeGateway } from "../../web/testing/fake_gateway.ts";

const CHROMIUM = "/usr/bin/chromium";
/** Only keeps a broken page from hanging the run. */
const PATIENCE_MS = 60_000;

/** Far from where another run of this file begins, and above the last port that browsers refuse (10080). */
let nextPort = 11_000 + Deno.pid * 64 % 20_000;

const missing = isFile(CHROMIUM) ? undefined : `needs ${CHROMIUM}`;

browserTest("a PIN goes from the page to the engine, and the page follows live", async (site) => {
  const { view, page } = await site.open("portal");
  await says(page, "h1", "Insert a card");
  view.move({ phase: "reading" });
  await says(page, "h1", "Reading the card");
  view.askPin();
  await says(page, "h1", "Enter your PIN");
  await page.waitForFunction(() => document.activeElement?.id === "pin");
  const field = page.locator("#pin");
  assert.equal(await field.getAttribute("autocomplete"), "off");
  assert.equal(await field.getAttribute("inputmode"), "numeric");
  assert.equal(await field.getAttribute("type"), "password");

  const bodies: string[] = [];
  page.on("request", (request) => bodies.push(request.url() + (request.postData() ?? "")));
  await page.keyboard.type("654321");
  await page.keyboard.press("Enter");
  await says(page, "#alert", "Wrong PIN. 2 tries left.");
  assert.equal(await field.inputValue(), "");
  await site.shoot(page, "portal-wrong-pin");
  await field.fill("111111");
  await page.click("form button");
  await says(page, "#alert", "Wrong PIN. 1 try left.\nThis is the last try");
  await field.fill("123456");
  await page.click("form button");
  await says(page, "h1", "You are connected");
  await says(page, ".said", "To log off, pull the card out of the reader.");
  await site.shoot(page, "portal-connected");

  assert.deepEqual(view.pins.map(({ pin }) => pin), ["654321", "111111", "123456"]);
  const posts = bodies.filter((body) => body.includes("ciphertext"));
  assert.equal(posts.length, 3);
  for (const pin of ["654321", "111111", "123456", btoa("123456")]) {
    assert.ok(!bodies.some((body) => body.includes(pin)), "no PIN leaves the page in the clear");
  }
  assert.ok(!(await page.content()).includes("123456"));
  view.move({ phase: "no-card" });
  await says(page, "h1", "Insert a card");
});

browserTest("what the page shows is also said aloud, to who wants it", async (site) => {
  const { view, page } = await site.open("portal");
  await page.evaluate(() => {
    speechSynthesis.speak = ({ lang, text }) => document.body.append(`[${lang}] ${text}`);
  });
  view.move({ phase: "reading" });
  await says(page, "h1", "Reading the card");
  const toggle = page.locator("#speech");
  assert.equal(await toggle.getAttribute("aria-pressed"), "false");
  await toggle.click();
  assert.equal(await toggle.getAttribute("aria-pressed"), "true");
  await says(page, "body", "[en] Reading the card");
  view.triesLeft = 1;
  view.askPin(true);
  await says(page, "body", "[en] Enter your PIN Card of Hanako Sato. Wrong PIN. 1 try left.");
  await toggle.click();
  view.move({ phase: "no-card" });
  await says(page, "h1", "Insert a card");
  assert.ok(!(await page.innerText("body")).includes("[en] Insert a card"));
});

browserTest("typed digits stay while the page is told other things", async (site) => {
  const { view, page } = await site.open("portal");
  view.askPin();
  await page.fill("#pin", "12");
  view.triesLeft = 2;
  view.askPin();
  await says(page, ".said", "2 tries left.");
  assert.equal(await page.inputValue("#pin"), "12");
});

browserTest("answers that no phase shows are said, each once", async (site) => {
  const { view, page } = await site.open("portal");
  view.askPin();
  const outcomes = [
    [{ outcome: "busy" }, "Another PIN is being tried right now."],
    [{ outcome: "stale" }, "The card was changed in the meantime"],
    [{ outcome: "card-gone" }, "The card was taken out"],
  ] as const;
  for (const [outcome, text] of outcomes) {
    view.submitPin = () => Promise.resolve(outcome);
    await page.fill("#pin", "123456");
    await page.click("form button");
    await says(page, "#alert", text);
  }
  view.submitPin = () => Promise.reject(new Error("broken"));
  await page.fill("#pin", "123456");
  await page.click("form button");
  await says(page, "#alert", "The gateway does not answer.");
  view.move({ phase: "no-card" });
  await says(page, "h1", "Insert a card");
  await page.waitForFunction(() => document.getElementById("alert")?.textContent === "");
}, { mayFail: true });

browserTest(
  "while a terminal has the card a PIN waits, may be given up, and goes on",
  async (site) => {
    const { view, page } = await site.open("portal");
    view.askPin();
    view.busy = "Living room";
    const enter = async () => {
      await page.fill("#pin", "123456");
      await page.click("form button");
      await says(page, "h1", "The card is in use");
      await says(page, ".said", "Living room is using the card, until");
    };
    await enter();
    await page.click("text=Give up waiting");
    await says(page, "h1", "Enter your PIN");
    await says(page, "#alert", "You gave up waiting. Your PIN was not tried.");
    assert.deepEqual(view.pins, []);
    await enter();
    await site.shoot(page, "portal-waiting");
    await fits(page);
    view.giveBack();
    await says(page, "h1", "You are connected");
    assert.deepEqual(view.pins.map(({ pin }) => pin), ["123456"]);
  },
);

browserTest("the holder of a stick is asked for a password", async (site) => {
  const { view, page } = await site.open("portal");
  view.move({
    ...{ phase: "pin-asked", holder: "Hanako Sato", triesLeft: 5, wrong: false },
    token: "stick",
  });
  await says(page, "h1", "Enter your password");
  assert.equal(await page.locator("#pin").getAttribute("inputmode"), "text");
  await says(page, "label", "Password");
  view.submitPin = () => Promise.resolve({ outcome: "busy" });
  await page.fill("#pin", "correct horse");
  await page.click("form button");
  await says(page, "#alert", "Another password is being tried");
});

browserTest("where the user id is asked for, it goes sealed with the PIN", async (site) => {
  const { view, page } = await site.open("portal");
  view.userId = "hanako7";
  view.askPin();
  await says(page, "h1", "Enter your user id and PIN");
  assert.ok(!(await page.innerText("body")).includes("Hanako"));
  await page.waitForFunction(() => document.activeElement?.id === "user-id");
  const bodies: string[] = [];
  page.on("request", (request) => bodies.push(request.url() + (request.postData() ?? "")));
  await page.keyboard.type("hanako8");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.activeElement?.id === "pin");
  await page.keyboard.type("123456");
  await page.keyboard.press("Enter");
  await says(page, "#alert", "The user id or the PIN is wrong.");
  assert.equal(await page.inputValue("#user-id") + await page.inputValue("#pin"), "");
  await site.shoot(page, "portal-user-id");
  await page.fill("#user-id", "Hanako7");
  await page.fill("#pin", "123456");
  await page.click("form button");
  await says(page, "h1", "You are connected");
  assert.equal(bodies.filter((body) => body.includes("ciphertext")).length, 2);
  assert.ok(!bodies.some((body) => /hanako/i.test(body)), "no id leaves the page in the clear");
});

browserTest("Japanese, dark and narrow: the portal fits", async (site) => {
  const { view, page } = await site.open("portal", {
    locale: "ja-JP",
    colorScheme: "dark",
    viewport: { width: 320, height: 640 },
  });
  for (const phase of ["no-card", "no-reader", "reading"] as const) {
    view.move({ phase });
    await page.waitForSelector(`[data-phase="${phase}"]`);
    await fits(page);
  }
  view.holder = "とても長い名前の所有者".repeat(5);
  view.triesLeft = 1;
  view.askPin(true);
  await says(page, "h1", "PIN を入力してください");
  await says(page, "#alert", "これが最後の 1 回です。");
  await fits(page);
  await site.shoot(page, "portal-japanese");
  view.userId = "hanako7";
  view.askPin(true);
  await says(page, "h1", "ユーザー ID と PIN を入力してください");
  await fits(page);
  await site.shoot(page, "portal-user-id-japanese");
  await page.click("text=English");
  await says(page, "h1", "Enter your user id and PIN");
  await fits(page);
  await site.shoot(page, "portal-user-id-phone");
});

browserTest("without JavaScript the portal still tells where things stand", async (site) => {
  const { view, page } = await site.open("portal", { javaScriptEnabled: false });
  await says(page, "h1", "Insert a card");
  view.askPin();
  await says(page, "h1", "Enter your PIN"); // by reloading itself
  await says(page, ".needs-script", "allow JavaScript");
});

browserTest("plain HTTP explains and leads to the portal", async (site) => {
  const { page } = await site.open("plain");
  await says(page, "h1", "This network needs a card");
  await page.click("text=Continue to the gateway");
  await says(page, "h1", "Insert a card");
  assert.ok(page.url().startsWith("https://"));
});

browserTest("the portal says when the gateway is gone, and that it is back", async (site) => {
  const { view, page } = await site.open("portal");
  await says(page, "h1", "Insert a card");
  await site.stop();
  await says(page, "#alert", "Connection to the gateway lost");
  await site.start();
  view.askPin();
  await says(page, "h1", "Enter your PIN");
  await page.waitForFunction(() => document.getElementById("alert")?.textContent === "");
}, { mayFail: true });

browserTest("an administrator signs in, sees it live and ends the session", async (site) => {
  const { view, page } = await site.open("panel", { viewport: { width: 1280, height: 900 } });
  view.move({ phase: "no-card" });
  await page.fill("#password", "wrong");
  await page.click("form button");
  await says(page, "#problem", "Wrong password.");
  await page.fill("#password", FAKE_PASSWORD);
  await page.click("form button");
  await says(page, "#session-title", "No card inserted");
  await says(page, "#live", "Live");
  assert.equal(await page.locator("#chart").count(), 0);

  view.move({ phase: "up", holder: "Hanako Sato", since: Date.now(), expiresAt: Date.now() });
  await says(page, "#session-title", "Connected");
  view.record("warning", "pin-wrong", { triesLeft: 2 });
  await says(page, "#journal li:first-child", "Wrong PIN Warning tries left: 2");

  const start = Date.now();
  for (let n = 0; n < 30; n++) view.beat(statusAfter(start, n));
  await page.waitForSelector("#chart canvas");
  await says(page, '[data-rate="received"]', "8.0 Mb/s");
  await says(page, '[data-rate="sent"]', "800 kb/s");
  await says(page, "#tunnel", "192.0.2.1:51820");
  await says(page, "#terminals tbody tr", "laptop 192.168.77.21 8.0 Mb/s 29.0 MB 800 kb/s 2.9 MB");
  await says(page, "#card", "OpenPGP card Its profile sealed, in this gateway's folder");
  await says(page, '#card [data-way="sealed"]', "yes The card's decryption key is an X25519 key.");
  await says(page, "#drops", "IPv6 outside the profile 12");
  await says(page, ".warnings", "the disk is full");
  await page.evaluate(() => document.querySelector("#chart canvas")?.setAttribute("id", "same"));
  view.beat(statusAfter(start, 30));
  await says(page, "#terminals tbody tr", "30.0 MB");
  assert.equal(await page.locator("canvas#same").count(), 1, "the chart is not built anew");
  await site.shoot(page, "panel-connected");

  await page.click("summary");
  await says(page, "#ruleset pre", "table inet sekisho");
  await page.click("text=End session");
  await page.click("text=Keep it");
  assert.deepEqual(view.locks, []);
  await page.click("text=End session");
  await page.click("text=End session now");
  await says(page, "#session-title", "No card inserted");
  assert.deepEqual(view.locks, ["administrator at 127.0.0.1"]);

  await page.click("text=Sign out");
  await says(page, "#problem", "You were signed out.");
  await page.goto(site.url("panel"));
  await page.waitForSelector("#password");
}, { mayFail: true });

browserTest("the journal pages and filters", async (site) => {
  const { view, page } = await site.open("panel");
  for (let n = 1; n <= 100; n++) view.record(n % 10 ? "info" : "error", "network-fault", { n });
  await page.fill("#password", FAKE_PASSWORD);
  await page.click("form button");
  const rows = page.locator("#journal li");
  await says(page, "#journal li:first-child", "Administrator signed in");
  assert.equal(await rows.count(), 15);
  await page.click("text=Older entries");
  await page.waitForFunction(() => document.querySelectorAll("#journal li").length === 65);
  await page.click("text=Older entries");
  await page.waitForFunction(() => document.querySelectorAll("#journal li").length === 101);
  assert.equal(await page.locator('[data-action="older"]').count(), 0);
  await page.selectOption("#level", "error");
  await page.waitForFunction(() => document.querySelectorAll("#journal li").length === 10);
  view.record("info", "card-inserted", {});
  view.record("error", "engine-lost", {});
  await says(page, "#journal li:first-child", "Engine lost");
  assert.equal(await rows.count(), 11);
});

browserTest("the panel fits a phone, in both languages and colours", async (site) => {
  const { view, page } = await site.open("panel", {
    locale: "ja-JP",
    colorScheme: "dark",
    viewport: { width: 360, height: 740 },
  });
  await site.shoot(page, "sign-in-phone");
  await fits(page);
  view.move({ phase: "up", holder: "佐藤 花子", since: Date.now(), expiresAt: Date.now() });
  await page.fill("#password", FAKE_PASSWORD);
  await page.click("form button");
  await says(page, "#session-title", "接続中");
  const start = Date.now();
  for (let n = 0; n < 200; n++) view.beat(statusAfter(start, n));
  await page.waitForSelector("#chart canvas");
  await fits(page);
  await site.shoot(page, "panel-phone-dark");
  await page.emulateMedia({ colorScheme: "light" });
  await page.click("text=English");
  await says(page, "#session-title", "Connected");
  await fits(page);
  await site.shoot(page, "panel-phone-light");
});

/** An OpenPGP card whose profile lies beside it. */
const CARD: CardView = {
  carrier: "folder",
  ...judge({
    application: "openpgp",
    hasX25519: true,
    algorithmsChangeable: true,
    privateObjects: true,
    longestPrivateObject: 255,
  }),
};

/** A second number `n` of a tunnel that carries 1 MB/s in and 100 kB/s out. */
function statusAfter(start: number, n: number): Partial<GatewayStatus> {
  const receivedBytes = n * 1_000_000;
  const sentBytes = n * 100_000;
  const lease = { leaseUntil: start + 3_600_000 };
  return {
    now: start + n * 1000,
    card: CARD,
    terminals: [{
      address: "192.168.77.21",
      mac: "52:54:00:12:34:56",
      name: "laptop",
      sentBytes,
      receivedBytes,
      ...lease,
    }],
    tunnel: {
      interface: "sekisho0",
      endpoint: "192.0.2.1:51820",
      sentBytes,
      receivedBytes,
      countedAt: start + n * 1000,
      lastHandshake: start,
      identity: "sealed",
      keys: "manual",
      carrier: "userspace",
      addresses: ["10.90.0.2/32"],
      destinations: ["10.20.0.0/16", "intranet.example.com"],
      otherTraffic: "drop",
      inbound: [
        { rule: "tcp/8080@10.20.0.0/16", to: ["192.168.80.23:80"] },
        { rule: "udp/5060@10.20.0.0/16", to: [] },
      ],
    },
    drops: { ipv6: 12 },
    warnings: ["Cannot write the journal: the disk is full; free some space"],
  };
}

/** What a test has: servers that it can stop and start, and pages. */
class Site {
  readonly #browser: Browser;
  readonly #shots: string;
  readonly #certificate: { cert: string; key: string };
  #stop = new AbortController();
  readonly #ports = { httpPort: freePort(), httpsPort: freePort(), panelPort: freePort() };
  #web: Awaited<ReturnType<typeof serveGatewayWeb>> | undefined;
  readonly view: FakeGateway;
  readonly problems: string[] = [];

  constructor(
    browser: Browser,
    parts: { view: FakeGateway; shots: string; certificate: { cert: string; key: string } },
  ) {
    this.#browser = browser;
    this.view = parts.view;
    this.#shots = parts.shots;
    this.#certificate = parts.certificate;
  }

  async start(): Promise<void> {
    this.#stop = new AbortController();
    const { httpPort, httpsPort, panelPort } = this.#ports;
    this.#web = await serveGatewayWeb(this.view, {
      portal: [{ hostname: "127.0.0.1", httpPort, httpsPort }],
      panel: { hostname: "127.0.0.1", port: panelPort },
      certificate: this.#certificate,
      portalUrl: `https://127.0.0.1:${httpsPort}/`,
      signal: this.#stop.signal,
    });
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#web?.finished;
  }

  url(what: "portal" | "plain" | "panel"): string {
    const portal = this.#web?.portal[0];
    switch (what) {
      case "portal":
        return `https://127.0.0.1:${portal?.https.port}/`;
      case "plain":
        return `http://127.0.0.1:${portal?.http.port}/`;
      case "panel":
        return `https://127.0.0.1:${this.#web?.panel.port}/`;
    }
  }

  async open(what: "portal" | "plain" | "panel", options: BrowserContextOptions = {}) {
    const context = await this.#browser.newContext({
      ignoreHTTPSErrors: true,
      locale: "en-GB",
      ...options,
    });
    context.setDefaultTimeout(PATIENCE_MS);
    const page = await context.newPage();
    page.on("pageerror", (error) => this.problems.push(error.message));
    page.on("console", (message) => {
      if (message.type() === "error") this.problems.push(message.text());
    });
    await page.goto(this.url(what));
    return { page, view: this.view };
  }

  async shoot(page: Page, name: string): Promise<void> {
    await page.screenshot({ path: `${this.#shots}/${name}.png`, fullPage: true });
  }
}

function browserTest(
  name: string,
  body: (site: Site) => Promise<void>,
  options: { mayFail: boolean } = { mayFail: false },
): void {
  Deno.test({
    name: missing === undefined ? name : `${name} (skipped: ${missing})`,
    ignore: missing !== undefined,
    // The browser belongs to the whole file.
    sanitizeOps: false,
    sanitizeResources: false,
    async fn() {
      const { browser, shots, certificate } = await shared();
      const site = new Site(browser, { view: await FakeGateway.open(), shots, certificate });
      try {
        await site.start();
        await body(site);
        // Anything there is our page's fault: a policy that it breaks, an exception.
        if (!options.mayFail) assert.deepEqual(site.problems, []);
      } finally {
        for (const context of browser.contexts()) await context.close();
        await site.stop();
      }
    },
  });
}

interface Shared {
  readonly browser: Browser;
  readonly shots: string;
  readonly certificate: { cert: string; key: string };
}

let once: Promise<Shared> | undefined;

function shared(): Promise<Shared> {
  once ??= (async () => {
    await buildWeb();
    const shots = Deno.env.get("SEKISHO_SHOTS") ??
      await Deno.makeTempDir({ prefix: "sekisho-shots-" });
    const browser = await chromium.launch({
      executablePath: CHROMIUM,
      args: ["--no-sandbox"],
      headless: true,
    });
    return { browser, shots, certificate: await testCertificate() };
  })();
  return once;
}

Deno.test.afterAll(async () => {
  if (once === undefined) return;
  const { browser, shots } = await once;
  await browser.close();
  console.log(`Screenshots are in ${shots}`);
});

/** Waits until the first match shows this text, white space apart. */
async function says(page: Page, selector: string, text: string): Promise<void> {
  const flat = (value: string) => value.replaceAll(/\s+/g, " ");
  const locator = page.locator(selector).first();
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const shown = flat(await locator.innerText().catch(() => ""));
    if (shown.includes(flat(text))) return;
    if (Date.now() > deadline) assert.fail(`${selector} says "${shown}", not "${text}"`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Nothing reaches beyond the right edge of the window. */
async function fits(page: Page): Promise<void> {
  const { content, window } = await page.evaluate(() => ({
    content: document.documentElement.scrollWidth,
    window: document.documentElement.clientWidth,
  }));
  assert.ok(content <= window, `${content} px of content in a window of ${window} px`);
}

/**
 * A port that nobody else gets by chance, while it is free or while a server is stopped: below those
 * that the kernel gives out.
 */
function freePort(): number {
  for (;;) {
    const port = nextPort++;
    try {
      Deno.listen({ hostname: "127.0.0.1", port }).close();
      return port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
