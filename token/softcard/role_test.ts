import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../../main.ts", import.meta.url));

Deno.test("softcard --help explains and ends with 0, wrong usage with 2", async () => {
  const help = await softcard("--help");
  assert.equal(help.code, 0);
  assert.match(help.stdout, /^Usage: softcard --state FILE/);
  const wrong = await softcard("--sate", "x");
  assert.equal(wrong.code, 2);
  assert.match(wrong.stderr, /^Cannot read the command line: [^\n]+; see softcard --help\n$/);
});

Deno.test("softcard refuses a damaged state with one line and 1", async () => {
  await using folder = await temporary();
  const state = join(folder.path, "card");
  Deno.writeTextFileSync(state, `sekisho-softcard 1 ${"0".repeat(64)}\n{`);
  const { code, stderr } = await softcard("--state", state);
  assert.equal(code, 1);
  assert.equal(
    stderr,
    `Cannot load the card's state ${state}: it is cut or damaged, and so is its spare; ` +
      "restore a copy, or delete it to make a new card\n",
  );
  const nowhere = await softcard("--state", join(folder.path, "none", "card"));
  assert.equal(nowhere.code, 1);
  assert.match(nowhere.stderr, /^Cannot use the card's state [^\n]+\n$/);
});

Deno.test("softcard makes a card, says so in one line without its PIN, and ends on SIGTERM", async () => {
  await using folder = await temporary();
  const state = join(folder.path, "card");
  const control = join(folder.path, "control");
  const args = ["--state", state, "--control", control, "--removed", "--pin", "864209"];
  const child = start(args);
  const status = await answered(control, "status");
  assert.match(status, /^ok \{"serial":\d+,"presence":"removed"/);
  const second = await softcard("--state", state, "--removed");
  assert.equal(second.code, 1);
  assert.match(second.stderr, /another softcard has it/);
  child.kill("SIGTERM");
  const { code, stdout } = await child.output();
  assert.equal(code, 0);
  const said = new TextDecoder().decode(stdout);
  assert.match(said, /^softcard: made a new card \d+ in [^\n]+\n$/);
  assert.ok(!said.includes("864209"));
  assert.throws(() => Deno.statSync(control), Deno.errors.NotFound);
  assert.equal((Deno.statSync(state).mode ?? 0) & 0o777, 0o600);
});

function start(args: string[]): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-prompt", MAIN, "softcard", ...args],
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

async function softcard(...args: string[]): Promise<
  { code: number; stdout: string; stderr: string }
> {
  const { code, stdout, stderr } = await start(args).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

/** Waits for the control socket (a guard against hanging, not a measure) and asks it. */
async function answered(path: string, line: string): Promise<string> {
  for (let attempt = 0;; attempt++) {
    try {
      using connection = await Deno.connect({ transport: "unix", path });
      await connection.write(new TextEncoder().encode(`${line}\n`));
      const buffer = new Uint8Array(1024);
      return new TextDecoder().decode(buffer.subarray(0, await connection.read(buffer) ?? 0));
    } catch (error) {
      if (attempt > 1500) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

async function temporary(): Promise<AsyncDisposable & { path: string }> {
  const path = await Deno.makeTempDir({ prefix: "sekisho-card-" });
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}
