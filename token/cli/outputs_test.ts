import assert from "node:assert/strict";
import { TokenKeepsOthersError, WriteInDoubtError } from "../profile/in_doubt.ts";
import { stage, writeWith } from "./outputs.ts";

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

Deno.test("files follow what the token carries, and wait where nobody can tell", async () => {
  const dir = await Deno.makeTempDir();
  const names = () => [...Deno.readDirSync(dir)].map(({ name }) => name).sort();
  const files = [{ path: `${dir}/a`, content: "key" }];
  const gone = new TypeError("the card was pulled");
  try {
    const failing = (error: Error) =>
      ({ what: "card", write: () => Promise.reject(error) }) as const;
    await assert.rejects(writeWith(files, failing(gone)), gone);
    await assert.rejects(writeWith(files, failing(new TokenKeepsOthersError("it lies"))), {
      name: "CommandError",
      message: "it lies",
    });
    assert.deepEqual(names(), []);
    await assert.rejects(
      writeWith(files, failing(new WriteInDoubtError(gone))),
      /^CommandError: Cannot tell which profile the card carries now \(the card was pulled\): put it in and do it again under other names; if it carries the new one, its files are .*\/a\.new-\w{8}$/,
    );
    assert.match(names().join(), /^a\.new-\w{8}$/);
    await writeWith(files, { what: "stick", write: () => Promise.resolve("untidied") });
    assert.equal(Deno.readTextFileSync(`${dir}/a`), "key");
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
