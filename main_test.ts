import assert from "node:assert/strict";
import { load, ROLES } from "./main.ts";

const MAIN = new URL("./main.ts", import.meta.url).pathname;

Deno.test("main: help and version go to stdout and end with 0", async () => {
  const help = await run("--help");
  assert.equal(help.code, 0);
  for (const role of ["gateway", "hub", "tunnel", "token", "softcard", "demo", "engine"]) {
    assert.match(help.stdout, new RegExp(`^  ${role} `, "m"));
  }
  const version = await run("--version");
  assert.match(version.stdout, /^sekisho \d+\.\d+\.\d+\n$/);
  assert.equal(version.code, 0);
});

Deno.test("main: no role, an unknown one and names of Object.prototype are wrong usage, in one line", async () => {
  for (const args of [[], ["gatway"], ["constructor"], ["--verbose"]]) {
    const { code, stdout, stderr } = await run(...args);
    assert.equal(code, 2, args.join(" "));
    assert.equal(stdout, "");
    assert.match(stderr, /^Cannot start sekisho: .*; use one of .*\n$/);
  }
});

Deno.test("main: every role is where its entry says", async () => {
  for (const entry of Object.values(ROLES)) assert.equal(typeof await load(entry), "function");
});

Deno.test("main: a start reads nothing of the roles", async () => {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", MAIN],
    stdin: "null",
  }).output();
  const { modules } = JSON.parse(new TextDecoder().decode(stdout));
  assert.equal(modules.length, 2, "main.ts and deno.json");
});

async function run(...args: string[]) {
  const output = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-prompt", MAIN, ...args],
    stdin: "null",
    env: { NO_COLOR: "1" },
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code: output.code, stdout: text(output.stdout), stderr: text(output.stderr) };
}
