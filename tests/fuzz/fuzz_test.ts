/** Replays the corpora, and some changes of each input, always the same. */
import assert from "node:assert/strict";
import { readCorpus } from "./corpus.ts";
import { mutate, Random } from "./mutate.ts";
import { TARGETS } from "./targets.ts";

const CHANGES = 8;

for (const target of TARGETS) {
  Deno.test(`fuzz ${target.name}: the corpus and changes of it break no promise`, async () => {
    const corpus = readCorpus(target.name);
    const others = corpus.map(({ bytes }) => bytes);
    const happened = new Set<string>();
    for (const [index, { name, bytes }] of corpus.entries()) {
      const random = new Random(index + 1);
      for (let change = 0; change <= CHANGES; change++) {
        const input = change === 0 ? bytes : mutate(bytes, { random, others });
        try {
          happened.add(await target.run(input));
        } catch (error) {
          throw new Error(`${name}, change ${change}: ${input.toHex()}`, { cause: error });
        }
      }
    }
    // Each kept input once did something that no other did; what it does may change, not vanish.
    assert.ok(happened.size >= corpus.length / 2, `${happened.size} of ${corpus.length}`);
    assert.ok(corpus.length >= 5, "a corpus is there");
  });
}
