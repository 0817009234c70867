import assert from "node:assert/strict";
import { Lab } from "../lab/lab.ts";
import { labTest } from "../lab/needs.ts";
import { QUIET } from "./box.ts";

labTest("nftables: the kernel takes every plan, by the library and by the program", async () => {
  await using lab = await Lab.open();
  const machine = await lab.machine("box");
  const program = new URL("./nftables_program.ts", import.meta.url).pathname;
  const { code, stdout, stderr } = await machine.run(
    [Deno.execPath(), "run", "-A", "--cached-only", "--no-prompt", program],
    { env: QUIET, cwd: "/" },
  );
  assert.equal(code, 0, stderr);
  const { accepted, faults } = JSON.parse(stdout) as { accepted: number; faults: string[] };
  assert.deepEqual(faults, []);
  assert.equal(accepted, 2 * 2 * 21 * 2, "ways × configurations × grants × DNS groups");
});
