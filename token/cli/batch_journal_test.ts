import assert from "node:assert/strict";
import { BatchJournal } from "./batch_journal.ts";

const DONE = { client: "a", digest: "d", card: "c1", profile: "p", generation: 7 };

Deno.test("a batch's journal survives being cut at every byte, and one batch holds it", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/batch.jsonl`;
  try {
    {
      using journal = await BatchJournal.open(folder);
      await journal.begin("a", "c1");
      await journal.add(DONE);
      await journal.begin("b", "c2");
      await assert.rejects(BatchJournal.open(folder), /another batch runs there/);
    }
    const whole = await Deno.readFile(path);
    const [begun = "", done = ""] = new TextDecoder().decode(whole).split("\n");
    for (let length = 0; length <= whole.length; length++) {
      await Deno.writeFile(path, whole.subarray(0, length));
      {
        using journal = await BatchJournal.open(folder);
        assert.equal(journal.hasBegun("a", "c1"), length >= begun.length, `cut at ${length}`);
        const isDone = length >= begun.length + 1 + done.length;
        assert.equal(journal.of("a")?.card, isDone ? "c1" : undefined);
        assert.equal(journal.hasCard("c1"), isDone);
        await journal.add({ ...DONE, client: "z" });
      }
      using again = await BatchJournal.open(folder);
      assert.equal(again.of("z")?.generation, 7, `what follows a cut at ${length} counts`);
    }
    for (const odd of ["hello\n", "{}\n", '{"other":1}\n']) {
      await Deno.writeTextFile(path, odd);
      await assert.rejects(BatchJournal.open(folder), /line 1 is no entry of a batch/, odd);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
