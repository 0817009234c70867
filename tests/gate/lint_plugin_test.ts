import assert from "node:assert/strict";
import plugin from "./lint_plugin.ts";

const ROOT = new URL("../..", import.meta.url).pathname;

Deno.test("lint: a default export is refused everywhere", () => {
  assert.deepEqual(rules("web/panel/page.ts", "export default 1;"), ["sekisho/named-exports"]);
  assert.deepEqual(rules("web/panel/page.ts", "export const one = 1;"), []);
});

Deno.test("lint: a core has no clock, no chance and no I/O", () => {
  const bad = [
    "Date.now();",
    "new Date();",
    "performance.now();",
    "Math.random();",
    "crypto.getRandomValues(new Uint8Array(1));",
    "Deno.readFileSync('x');",
    "setTimeout(() => {}, 1);",
    "import { randomBytes } from 'node:crypto';",
    "import { connect, isIPv4 } from 'node:net';",
  ];
  for (const text of bad) {
    assert.deepEqual(rules("tunnel/protocol/timers.ts", text), ["sekisho/pure-core"], text);
    assert.deepEqual(rules("web/leases/lease_core.ts", text), ["sekisho/pure-core"], text);
    assert.deepEqual(rules("web/x.ts", `/** Pure. @core */\n${text}`), ["sekisho/pure-core"], text);
    assert.deepEqual(rules("tunnel/protocol/timers_test.ts", text), [], text);
    assert.deepEqual(rules("web/x.ts", text), [], text);
  }
  for (
    const text of [
      "new Date(5);",
      "Math.min(1, 2);",
      "import type { X } from 'node:net';",
      "import { isIPv4 } from 'node:net';",
    ]
  ) {
    assert.deepEqual(rules("tunnel/protocol/timers.ts", text), [], text);
  }
});

Deno.test("lint: native libraries are opened on the ground floor and by PC/SC only", () => {
  const text = "Deno.dlopen('libc.so.6', {});";
  const rule = "sekisho/libraries-on-the-ground-floor";
  assert.deepEqual(rules("gateway/x.ts", text), [rule]);
  assert.deepEqual(rules("tunnel/data/x.ts", text), [rule]);
  assert.deepEqual(rules("os/libc.ts", text), []);
  assert.deepEqual(rules("token/pcsc/library.ts", text), []);
});

function rules(path: string, text: string): string[] {
  return Deno.lint.runPlugin(plugin, `${ROOT}${path}`, text).map(({ id }) => id);
}
