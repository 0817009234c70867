import assert from "node:assert/strict";
import { findTests } from "./files.ts";
import { runFile } from "./run_file.ts";
import { countLine, parseSummary, resultLine, skippedTests } from "./summary.ts";

Deno.test("runner: every shape of deno's summary is read, and nothing else is taken for one", () => {
  const read = (line: string) => parseSummary(`noise\n${line}\n\nerror: Test failed\n`);
  assert.deepEqual(read("ok | 1 passed | 0 failed (6ms)"), { passed: 1, failed: 0, skipped: 0 });
  assert.deepEqual(
    read("FAILED | 20 passed (3 steps) | 1 failed (1 step) | 4 ignored (1m3s)"),
    { passed: 20, failed: 1, skipped: 4 },
  );
  assert.deepEqual(read("ok | 0 passed | 0 failed | 2 ignored | 1 filtered out (1ms)"), {
    passed: 0,
    failed: 0,
    skipped: 2,
  });
  assert.equal(read("it said: ok | 1 passed | 0 failed"), undefined);
  assert.deepEqual(skippedTests("a ... ok (1ms)\nb (skipped: no root) ... ignored (0ms)\n"), [
    "b (skipped: no root)",
  ]);
});

Deno.test("runner: the count line", () => {
  assert.equal(countLine({ passed: 3, failed: 0, skipped: 0 }), "3 passed, 0 failed");
  assert.equal(countLine({ passed: 3, failed: 1, skipped: 2 }), "3 passed, 1 failed, 2 skipped");
  assert.equal(resultLine({ passed: 3, failed: 1, skipped: 2 }), "3 passed, 1 failed");
});

Deno.test("runner: a failure, a crash, a hang and a skip are each counted as what they are", async () => {
  const root = await Deno.makeTempDir();
  const run = async (text: string, limitSeconds = 60) => {
    await Deno.writeTextFile(`${root}/x_test.ts`, text);
    return await runFile("x_test.ts", { root, limitSeconds });
  };
  try {
    const good = await run(`Deno.test("a", () => {}); Deno.test.ignore("b", () => {});`);
    assert.deepEqual(good.counts, { passed: 1, failed: 0, skipped: 1 });
    assert.deepEqual(good.skipped, ["b"]);
    const bad = await run(`Deno.test("a", () => { throw new Error("the reason"); });`);
    assert.deepEqual(bad.counts, { passed: 0, failed: 1, skipped: 0 });
    assert.match(bad.output, /the reason/);
    const broken = await run(`import "./nowhere.ts";`);
    assert.deepEqual(broken.counts, { passed: 0, failed: 1, skipped: 0 });
    const exits = await run(
      `Deno.test("a", () => {}); Deno.test("b", () => Deno.kill(Deno.pid, "SIGKILL"));`,
    );
    assert.equal(exits.counts.failed, 1);
    const hangs = await run(`Deno.test("a", () => { for (;;); });`, 1);
    assert.equal(hangs.counts.failed, 1);
    assert.match(hangs.output, /killed after 1 s/);
    const leaves = await run(`Deno.test("a", () => {
      const left = new Deno.Command("sleep", { args: ["600"] }).spawn();
      left.unref();
      console.log("left behind:", left.pid);
    });`);
    Deno.kill(Number(/left behind: (\d+)/.exec(leaves.output)?.[1]), "SIGKILL");
    assert.ok(leaves.seconds < 600, "what was left behind is not waited for");
    assert.deepEqual(leaves.counts, { passed: 1, failed: 0, skipped: 0 });
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});

Deno.test("runner: tests that build a lab are told from those that don't, and paths choose", async () => {
  const root = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${root}/os`);
    await Deno.mkdir(`${root}/node_modules`);
    await Deno.writeTextFile(`${root}/os/a_test.ts`, "");
    await Deno.writeTextFile(`${root}/os/b.ts`, "");
    await Deno.writeTextFile(`${root}/node_modules/c_test.ts`, "");
    await Deno.mkdir(`${root}/tests/e2e`, { recursive: true });
    for (const path of ["lab_test.ts", "tests/e2e/story_test.ts"]) {
      await Deno.writeTextFile(`${root}/${path}`, `import { Lab } from "../lab/lab.ts";`);
    }
    assert.deepEqual(findTests(root, []), {
      units: ["os/a_test.ts"],
      labs: ["lab_test.ts"],
      alone: ["tests/e2e/story_test.ts"],
    });
    assert.deepEqual(findTests(root, ["os"]), { units: ["os/a_test.ts"], labs: [], alone: [] });
    assert.deepEqual(findTests(root, ["o"]), { units: [], labs: [], alone: [] });
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});
