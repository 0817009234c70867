import assert from "node:assert/strict";

const module = JSON.stringify(import.meta.resolve("./process.ts"));

Deno.test("hardenProcess: no dumps, no swap, and exitNow ends at once with its code", async () => {
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: [
      "eval",
      `import { exitNow, hardenProcess, parentPid } from ${module};
       const gaps = hardenProcess();
       const limits = Deno.readTextFileSync("/proc/self/limits");
       const status = Deno.readTextFileSync("/proc/self/status");
       console.log(JSON.stringify({ gaps, parent: parentPid(),
         core: /Max core file size +0 +0/.test(limits),
         locked: Number(/VmLck:\\s+(\\d+)/.exec(status)?.[1]) }));
       setTimeout(() => console.log("too late"), 0);
       exitNow(7);`,
    ],
  }).output();
  assert.equal(code, 7);
  const said = JSON.parse(new TextDecoder().decode(stdout));
  assert.equal(said.parent, Deno.pid);
  assert.equal(said.core, true);
  if (Deno.uid() === 0) {
    assert.deepEqual(said.gaps, []);
    assert.ok(said.locked > 1000, `locked ${said.locked} kB`);
  }
});
