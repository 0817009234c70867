/** Chromium at a terminal of the story: on its network, with the box's authority installed as an owner would. */
import { type Browser, chromium, type Page } from "playwright-core";
import type { Machine } from "../lab/machine.ts";

const CHROMIUM = "/usr/bin/chromium";
/** Only keeps a broken page from hanging the run. */
const PATIENCE_MS = 20_000;

export class TerminalBrowser implements AsyncDisposable {
  readonly #browser: Browser;
  readonly #home: string;

  private constructor(browser: Browser, home: string) {
    this.#browser = browser;
    this.#home = home;
  }

  /** @param options.authority PEM; nothing else is trusted, and nothing is waved through. */
  static async open(
    machine: Machine,
    { authority }: { authority: string },
  ): Promise<TerminalBrowser> {
    const home = await Deno.makeTempDir({ prefix: "sekisho-browser-" });
    const store = `${home}/.pki/nssdb`;
    await Deno.mkdir(store, { recursive: true });
    await Deno.writeTextFile(`${home}/authority.crt`, authority);
    await machine.sh(`
      certutil -N -d sql:${store} --empty-password
      certutil -A -d sql:${store} -n box -t C,, -i ${home}/authority.crt
    `);
    // The browser talks to this process by descriptors that it is given, so it may run elsewhere.
    const start = `${home}/chromium`;
    await Deno.writeTextFile(
      start,
      `#!/bin/sh\nexport HOME=${home}\nexec ${machine.prefix().join(" ")} ${CHROMIUM} "$@"\n`,
      { mode: 0o700 },
    );
    const browser = await chromium.launch({
      executablePath: start,
      args: ["--no-sandbox", "--disable-dev-shm-usage"],
      timeout: PATIENCE_MS,
    });
    return new TerminalBrowser(browser, home);
  }

  async page(locale = "en-GB"): Promise<Page> {
    const context = await this.#browser.newContext({ locale });
    context.setDefaultTimeout(PATIENCE_MS);
    return await context.newPage();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser.close();
    await Deno.remove(this.#home, { recursive: true });
  }
}

/** Waits until the first match shows this text, white space apart. */
export async function says(page: Page, selector: string, text: string): Promise<void> {
  const locator = page.locator(selector).first();
  for (const end = Date.now() + PATIENCE_MS;;) {
    const shown = (await locator.innerText().catch(() => "")).replaceAll(/\s+/g, " ");
    if (shown.includes(text)) return;
    if (Date.now() > end) throw new Error(`${selector} says "${shown}", not "${text}"`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
