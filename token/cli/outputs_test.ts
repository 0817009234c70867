import assert from "node:assert/strict";
import { stage } from "./outputs.ts";

Deno.test("files get their names at the end, all of them or none, and never another's", async () => {
  const dir = await Deno.makeTempDir();
  const names = () => [...Deno.readDirSync(dir)].map(({ name }) => name).sort();
  try {
    const two = [{ path: `${dir}/a`, content: "one" }, { path: `${dir}/b`, content: "two" }];
    const staged = await stage(two);
    assert.ok(
      names().length === 2 && names().every((name) => /^[ab]\.new-[0-9a-f]{8}$/.test(name)),
    );
    await staged.commit();
    assert.deepEqual(names(), ["a", "b"]);
    assert.equal((Deno.statSync(`${dir}/a`).mode ?? 0) & 0o777, 0o600);

    await assert.rejects(stage(two), /a: it is there already/);
    const half = [{ path: `${dir}/c`, content: "" }, { path: `${dir}/no/d`, content: "" }];
    await assert.rejects(stage(half), /no\/d.*it is not there/);
    assert.deepEqual(names(), ["a", "b"], "what was begun is taken away");

    const dropped = await stage([{ path: `${dir}/c`, content: "x" }]);
    await dropped.discard();
    assert.deepEqual(names(), ["a", "b"]);

    const late = await stage([{ path: `${dir}/c`, content: "ours" }]);
    await Deno.writeTextFile(`${dir}/c`, "another's");
    await assert.rejects(late.commit(), /c: another file came meanwhile.*take .*c\.new-/);
    assert.equal(Deno.readTextFileSync(`${dir}/c`), "another's");
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
