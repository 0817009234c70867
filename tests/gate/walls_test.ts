import assert from "node:assert/strict";
import { walk } from "../runner/files.ts";
import { importsOf } from "./imports.ts";
import { wallBroken } from "./walls.ts";

const ROOT = new URL("../..", import.meta.url).pathname.replace(/\/$/, "");

Deno.test("walls: nothing in the project breaks one", () => {
  const modules = [...walk(ROOT, "")].filter((path) => /\.tsx?$/.test(path));
  const imports = modules.flatMap((path) =>
    importsOf(path, Deno.readTextFileSync(`${ROOT}/${path}`))
  );
  assert.ok(
    imports.some(({ from }) => from === "web/gateway_role.ts"),
    "the reader of imports found nothing",
  );
  assert.deepEqual(imports.map(wallBroken).filter((fault) => fault !== undefined), []);
});

Deno.test("walls: each kind of trespass is seen", () => {
  const broken: [string, string][] = [
    ["os/ip.ts", "tunnel/api.ts"],
    ["tunnel/device.ts", "token/apdu/tlv.ts"],
    ["gateway/gateway.ts", "hub/hub.ts"],
    ["hub/hub.ts", "gateway/switch/plan.ts"],
    ["gateway/gateway.ts", "web/app.ts"],
    ["gateway/gateway.ts", "main.ts"],
    ["web/panel/app.ts", "gateway/gateway.ts"],
    ["web/hub/app.ts", "hub/store/users.ts"],
    ["gateway/gateway.ts", "tests/lab/lab.ts"],
    ["main.ts", "tests/lab/lab.ts"],
    ["token/role.ts", "token/role_test.ts"],
    ["gateway/gateway.ts", "shared/things.ts"],
    ["stray.ts", "os/ip.ts"],
  ];
  for (const [from, to] of broken) assert.ok(wallBroken({ from, to }), `${from} to ${to}`);
  const sound: [string, string][] = [
    ["gateway/gateway.ts", "os/ip.ts"],
    ["web/panel/app.ts", "gateway/view.ts"],
    ["web/gateway_role.ts", "gateway/gateway.ts"],
    ["main.ts", "tests/demo/role.ts"],
    ["gateway/gateway_test.ts", "tests/lab/lab.ts"],
    ["tests/e2e/story.ts", "gateway/gateway.ts"],
  ];
  for (const [from, to] of sound) assert.equal(wallBroken({ from, to }), undefined);
});

Deno.test("walls: imports of every form are read, and words in comments are not", () => {
  const text = `
    import { a } from "./a.ts"; import type { B } from '../b.ts';
    export * from "./c.ts"; const d = await import("./d.ts"); import "./e.ts";
    new Worker(new URL("./f.ts", import.meta.url)); import {
      g } from
      "../../g.ts";
    // import { x } from "./x.ts";
    /* from "./y.ts" */
    import { z } from "hono"; import.meta.resolve("./h.ts"); import data from "./data.json";
    const self = new URL("../../main.ts", import.meta.url);`;
  assert.deepEqual(importsOf("gateway/lan/m.ts", text).map(({ to }) => to).sort(), [
    ...["g.ts", "gateway/b.ts", "gateway/lan/a.ts", "gateway/lan/c.ts", "gateway/lan/d.ts"],
    ...["gateway/lan/e.ts", "gateway/lan/f.ts", "gateway/lan/h.ts"],
  ]);
});
