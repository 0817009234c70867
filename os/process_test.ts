import assert from "node:assert/strict";
import { canSwap } from "./process.ts";

const module = JSON.stringify(import.meta.resolve("./process.ts"));

Deno.test("hardenProcess: no dumps, and exitNow ends at once with its code", async () => {
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: [
      "eval",
      `import { exitNow, hardenProcess, parentPid } from ${module};
       const gaps = hardenProcess();
       const limits = Deno.readTextFileSync("/proc/self/limits");
       console.log(JSON.stringify({ gaps, parent: parentPid(),
         core: /Max core file size +0 +0/.test(limits) }));
       setTimeout(() => console.log("too late"), 0);
       exitNow(7);`,
    ],
  }).output();
  assert.equal(code, 7);
  const said = JSON.parse(new TextDecoder().decode(stdout));
  assert.equal(said.parent, Deno.pid);
  assert.equal(said.core, true);
  assert.deepEqual(said.gaps.filter((gap: string) => gap !== "swap"), []);
});

Deno.test("canSwap: only with swap space that the control group may use", () => {
  const none = "Filename\tType\tSize\tUsed\tPriority\n";
  const some = `${none}/dev/sda2 partition 1000 0 -2\n`;
  assert.deepEqual(
    [canSwap(none, "max"), canSwap(some, "max\n"), canSwap(some, "0\n"), canSwap("", "max")],
    [false, true, false, false],
  );
});

Deno.test("hardenProcess: the runtime survives giving memory back", async () => {
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "eval",
      "--v8-flags=--expose-gc",
      `import { hardenProcess } from ${module};
       hardenProcess();
       for (let round = 0; round < 20; round++) {
         let waste = Array.from({ length: 200_000 }, (_, i) => ({ i, text: "x" + i }));
         waste = [];
         globalThis.gc({ type: "major", execution: "sync", flavor: "last-resort" });
       }`,
    ],
  }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
});
