import assert from "node:assert/strict";
import { parseDemoOptions } from "./options.ts";
import { demoRole } from "./role.ts";

Deno.test("demo options: defaults, all given, and what is refused", () => {
  assert.deepEqual(parseDemoOptions([]), {
    once: false,
    hub: "ours",
    identity: "sealed",
    port: 8443,
  });
  const given = ["--once", "--json", "f.json", "--hub=stock", "--identity=on-card", "--port=0"];
  assert.deepEqual(parseDemoOptions(given), {
    once: true,
    json: "f.json",
    hub: "stock",
    identity: "on-card",
    port: 0,
  });
  assert.equal(parseDemoOptions(["--help"]), "help");
  for (
    const wrong of [["--hub", "x"], ["--identity=x"], ["--port=70000"], ["--port=x"], ["--x"], [
      "x",
    ]]
  ) {
    const parsed = parseDemoOptions(wrong);
    assert.ok(typeof parsed === "object" && "wrong" in parsed, wrong.join(" "));
    assert.match(parsed.wrong, /^Cannot (use|read) /);
  }
});

Deno.test("demo: wrong usage ends with 2, help with 0", async () => {
  assert.equal(await demoRole(["--hub", "x"]), 2);
  assert.equal(await demoRole(["--help"]), 0);
});
