import assert from "node:assert/strict";
import type { ReaderState } from "./events.ts";
import { Insertions } from "./insertions.ts";

const reader = (name: string, card: ReaderState["card"], counter = 0): ReaderState => {
  return { name, card, counter };
};

Deno.test("insertions: readers that come and go are named", () => {
  const insertions = new Insertions();
  const first = insertions.report([reader("a", "absent"), reader("b", "absent")]);
  assert.deepEqual(first, { added: ["a", "b"], gone: [] });
  const second = insertions.report([reader("b", "absent"), reader("c", "absent")]);
  assert.deepEqual(second, { added: ["c"], gone: ["a"] });
});

Deno.test("insertions: the first token is taken, and kept while others come", () => {
  const insertions = new Insertions();
  assert.equal(insertions.take(), undefined);
  insertions.report([reader("a", "mute"), reader("b", "present", 1)]);
  assert.deepEqual(insertions.take(), { insertion: { reader: "b", counter: 1 }, isNew: true });
  const { removed } = insertions.report([reader("a", "present", 1), reader("b", "present", 1)]);
  assert.equal(removed, undefined);
  assert.deepEqual(insertions.take(), { insertion: { reader: "b", counter: 1 }, isNew: false });
});

Deno.test("insertions: out, put in again, mute or without its reader, it is another one", () => {
  for (
    const after of [[reader("a", "absent", 2)], [reader("a", "present", 3)], [
      reader("a", "mute", 1),
    ], []]
  ) {
    const insertions = new Insertions();
    insertions.report([reader("a", "present", 1)]);
    insertions.take();
    assert.deepEqual(insertions.report(after).removed, { reader: "a", counter: 1 });
    assert.equal(insertions.current, undefined);
  }
});

Deno.test("insertions: an empty box waits for what its readers take", () => {
  const insertions = new Insertions();
  assert.equal(insertions.token, undefined);
  insertions.report([{ ...reader("usb", "absent"), token: "stick" }]);
  assert.equal(insertions.token, "stick");
  insertions.report([{ ...reader("usb", "present", 1), token: "stick" }, reader("a", "absent")]);
  assert.equal(insertions.token, "either");
  insertions.take();
  assert.equal(insertions.token, "stick");
});
