/**
 * Takes a picture of a running gateway's panel, for the documents:
 * `deno run -A tests/browser/panel_picture.ts URL OUT.png [en|ja] < PASSWORD`
 */
import { chromium, type Page } from "playwright-core";

const WIDTH = 1280;
/** Less than the gap between two cards. */
const MARGIN = 10;

if (import.meta.main) {
  const [url, out, language = "en"] = Deno.args;
  if (url === undefined || out === undefined) {
    console.error("Usage: panel_picture.ts URL OUT.png [en|ja] < PASSWORD");
    Deno.exit(2);
  }
  const password = (await new Response(Deno.stdin.readable).text()).split(/\r?\n/)[0] ?? "";
  await takePicture(url, { out, language, password });
}

/** @throws {Error} when the panel can't be reached or the password is wrong. */
export async function takePicture(
  url: string,
  options: { out: string; language: string; password: string },
): Promise<void> {
  const browser = await chromium.launch({
    executablePath: "/usr/bin/chromium",
    args: ["--no-sandbox"],
    headless: true,
  });
  try {
    const page = await browser.newPage({
      // A box's own authority is known to its owner, not to this browser.
      ignoreHTTPSErrors: true,
      // Its style below is none of the panel's own.
      bypassCSP: true,
      locale: options.language,
      viewport: { width: WIDTH, height: 1160 },
      colorScheme: "light",
    });
    await page.goto(url);
    await page.fill("#password", options.password);
    await page.click("form button");
    await page.waitForSelector(".live");
    // Two statuses, a second apart, make the first rates.
    await page.waitForTimeout(3000);
    // Down to the end of a card in either column; a card that would be cut through isn't shown.
    const ends = await Promise.all(["#terminals", "#drops"].map((card) => bottomOf(page, card)));
    const clip = { x: 0, y: 0, width: WIDTH, height: Math.ceil(Math.max(...ends)) + MARGIN };
    const style = "#journal, #drops ~ * { visibility: hidden }";
    await page.screenshot({ path: options.out, fullPage: true, clip, style });
  } finally {
    await browser.close();
  }
}

async function bottomOf(page: Page, card: string): Promise<number> {
  const box = await page.locator(card).boundingBox();
  return box === null ? 0 : box.y + box.height;
}
