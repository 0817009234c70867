import assert from "node:assert/strict";
import { Lab } from "../lab/lab.ts";
import { labTest } from "../lab/needs.ts";
import { QUIET } from "./box.ts";

interface Outcome {
  filled: number;
  rising: boolean;
  warning: string;
  whileFull: { read: string[]; generation: number };
  cured: string;
  journal: { event: string; detail?: { kept: number; lost: number } }[];
  generation: number;
}

labTest("full disk: the journal goes on in memory, says so, and writes it down later", async () => {
  await using lab = await Lab.open();
  const machine = await lab.machine("box");
  await machine.sh("mkdir -p /run/tiny; mount -t tmpfs -o size=400k tmpfs /run/tiny");
  const program = new URL("./full_disk_program.ts", import.meta.url).pathname;
  const { code, stdout, stderr } = await machine.run(
    [Deno.execPath(), "run", "-A", "--cached-only", "--no-prompt", program, "/run/tiny"],
    { env: QUIET, cwd: "/" },
  );
  assert.equal(code, 0, stderr);
  const outcome = JSON.parse(stdout) as Outcome;
  assert.ok(outcome.filled > 0);
  assert.ok(outcome.rising, "ids go on rising");
  assert.match(outcome.warning, /^The journal can't be written \(.*full.*\): 50 entries wait/);
  assert.deepEqual(outcome.whileFull.read, ["full", "full", "full", "full", "full"]);
  assert.equal(outcome.whileFull.generation, 7, "an older card is refused also now");
  assert.equal(outcome.cured, "");
  assert.equal(outcome.generation, 7, "and after a restart");

  const events = outcome.journal.map(({ event }) => event);
  assert.deepEqual([events[0], events[1]], ["journal-recovered", "after"]);
  const { kept = 0, lost = 0 } = outcome.journal[0]?.detail ?? {};
  assert.ok(lost > 0 && kept === 50, `${kept} kept, ${lost} lost`);
  const full = events.filter((event) => event === "full").length;
  // What fitted into the last free pages before the disk refused is there too.
  assert.equal(full + lost, 200);
  assert.ok(events.includes("before"));
});
