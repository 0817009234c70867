/** The guide's page on sticks does what it says, as it stands. */
import assert from "node:assert/strict";
import { GatewayConfigSchema } from "../../gateway/config/load.ts";
import { parseConfig } from "../../os/config.ts";
import { Lab } from "../lab/lab.ts";
import { labTest } from "../lab/needs.ts";
import { LoopDevice, MAIN, makeIssuer, run, sure, takeVisible } from "./stick.ts";

const PAGE = Deno.readTextFileSync(new URL("../../docs/guide/stick.md", import.meta.url));

Deno.test("the guide's table for gateways is taken as it stands", () => {
  const whole = `name = "box"
[lan]
interface = "lan0"
address = "192.168.80.1/24"
[internet]
interface = "wan0"
${block("toml", "[stick]")}
[token]
issuers = ["${"A".repeat(43)}"]`;
  const config = parseConfig(whole, { name: "stick.md", schema: GatewayConfigSchema });
  assert.deepEqual(config.stick, { devices: ["usb"] });
});

labTest("the guide's command makes a stick, and what lies on it starts as it says", async () => {
  await using lab = await Lab.open();
  const { dir } = lab;
  await makeIssuer(dir);
  await Deno.rename(`${dir}/issuer`, `${dir}/issuer.jwk`);
  await sure("truncate", ["-s", "256M", `${dir}/disk`]);
  await using loop = await LoopDevice.open(`${dir}/disk`);
  const command = block("sh", "token format")
    .replaceAll("/dev/sdb", loop.path)
    // What a person is asked for at a terminal.
    .replace("--psk", "--yes --password-file password --psk");
  const { code, stdout, stderr } = await run("bash", [
    "-euc",
    `
    cd ${dir}
    sekisho() { ${Deno.execPath()} run -A --no-prompt --no-check --cached-only ${MAIN} "$@"; }
    wg genkey | wg pubkey > hub.pub
    ${command}`,
  ]);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /Issued profile .* for Alice to the card stick:/);
  assert.match(await Deno.readTextFile(`${dir}/alice.toml`), /preshared_key_file = /);

  await Deno.mkdir(`${dir}/stick`);
  await takeVisible(`${dir}/disk`, `${dir}/stick`);
  const start = block("sh", "start.sh").replace("sudo ", "").trim();
  const help = await run("bash", ["-euc", `cd ${dir}/stick; ${start} --help`]);
  assert.equal(help.code, 0, help.stderr);
  assert.match(help.stdout, /^Usage: sudo sh start\.sh/);
});

/** The code block of this language that has these words. */
function block(language: string, words: string): string {
  const blocks = [...PAGE.matchAll(/```(\w+)\n([\s\S]*?)```/g)];
  const found = blocks.find(([, kind, text]) => kind === language && text?.includes(words));
  assert.ok(found?.[2], `the page has no ${language} block with ${words}`);
  return found[2];
}
