import assert from "node:assert/strict";
import { isFresh, recordOf } from "./freshness.ts";

Deno.test("a build is fresh until an input or an output changes or goes", async () => {
  const root = await Deno.makeTempDir();
  const write = (name: string, text: string) => Deno.writeTextFile(`${root}/${name}`, text);
  await write("a.ts", "a");
  await write("b.ts", "b");
  await write("out.js", "ab");
  const record = await recordOf({ inputs: ["a.ts", `${root}/b.ts`], outputs: ["out.js"] }, root);
  assert.deepEqual(Object.keys(record.inputs), ["a.ts", "b.ts"]);
  assert.equal(await isFresh(record, root), true);
  await write("b.ts", "c");
  assert.equal(await isFresh(record, root), false);
  await write("b.ts", "b");
  assert.equal(await isFresh(record, root), true);
  await Deno.remove(`${root}/out.js`);
  assert.equal(await isFresh(record, root), false);
  assert.equal(await isFresh({ inputs: {}, outputs: {} }, root), false);
  await Deno.remove(root, { recursive: true });
});
