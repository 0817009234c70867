import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";

const BENCH = fileURLToPath(new URL("../../bench/lease_requests.ts", import.meta.url));

Deno.test("1,000 lease requests of 50 terminals: in order, none lost", async () => {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--cached-only", "--no-prompt", "--no-check", BENCH],
  }).output();
  const said = new TextDecoder().decode(stdout).trim().split("\n").at(-1) ?? "{}";
  assert.equal(code, 0, said + new TextDecoder().decode(stderr));
  const { more } = JSON.parse(said);
  assert.deepEqual([more.inOrder, more.lost, more.granted], [true, 0, 1_000]);
});
