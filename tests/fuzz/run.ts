/**
 * Fuzzes by hand: `deno run -A tests/fuzz/run.ts [--seconds=60] [--seed=N] [TARGET…]`. Inputs that
 * make something new happen join the corpus; one that breaks a promise is printed and kept too.
 */
import { parseArgs } from "node:util";
import { keep, readCorpus } from "./corpus.ts";
import { mutate, Random } from "./mutate.ts";
import type { FuzzTarget } from "./target.ts";
import { TARGETS } from "./targets.ts";

/** More than these of one target would say the same again and again. */
const MOST_KEPT = 64;

const { values, positionals } = parseArgs({
  options: {
    seconds: { type: "string", default: "60" },
    seed: { type: "string", default: `${Date.now() % 1_000_000}` },
  },
  allowPositionals: true,
});
const wanted = TARGETS.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
let broken = 0;
for (const target of wanted) {
  broken += await fuzz(target, { seconds: Number(values.seconds), seed: Number(values.seed) });
}
Deno.exit(broken === 0 ? 0 : 1);

async function fuzz(
  target: FuzzTarget,
  { seconds, seed }: { seconds: number; seed: number },
): Promise<number> {
  const random = new Random(seed);
  const corpus = readCorpus(target.name).map(({ bytes }) => bytes);
  const happened = new Set<string>();
  let failures = 0;
  let runs = 0;
  const attempt = async (input: Uint8Array, known: boolean) => {
    runs++;
    try {
      const what = await target.run(input);
      if (happened.has(what)) return;
      happened.add(what);
      if (known || corpus.length >= MOST_KEPT) return;
      corpus.push(input);
      keep(target.name, input);
    } catch (error) {
      failures++;
      const name = keep(target.name, input);
      console.error(`${target.name} ${name}: ${input.toHex()}`, error);
    }
  };
  for (const input of corpus.slice()) await attempt(input, true);
  for (const input of target.seeds) await attempt(input, false);
  const end = performance.now() + seconds * 1000;
  while (performance.now() < end && failures < 10) {
    const input = corpus[random.below(corpus.length)] ?? new Uint8Array(0);
    await attempt(mutate(input, { random, others: corpus }), false);
  }
  console.log(
    `${target.name}: ${runs} inputs, seed ${seed}, ${happened.size} behaviours, ` +
      `${corpus.length} kept, ${failures} broken promises`,
  );
  return failures;
}
