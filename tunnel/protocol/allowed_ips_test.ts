import assert from "node:assert/strict";
import fc from "fast-check";
import { AllowedIps, type Prefix } from "./allowed_ips.ts";

interface Owner {
  readonly name: number;
}

const OWNERS: readonly Owner[] = Array.from({ length: 5 }, (_, name) => ({ name }));

/** What the trie must be: a list, searched for the longest prefix that fits. */
class Model {
  readonly #entries = new Map<string, { prefix: Prefix; owner: Owner }>();

  insert(prefix: Prefix, owner: Owner): void {
    this.#entries.set(keyOf(prefix), { prefix, owner });
  }

  remove(prefix: Prefix, owner: Owner): boolean {
    const key = keyOf(prefix);
    return this.#entries.get(key)?.owner === owner && this.#entries.delete(key);
  }

  removeOwner(owner: Owner): void {
    for (const [key, entry] of this.#entries) {
      if (entry.owner === owner) this.#entries.delete(key);
    }
  }

  lookup(family: 4 | 6, words: readonly number[]): Owner | undefined {
    return [...this.#entries.values()]
      .filter(({ prefix }) =>
        prefix.family === family &&
        bits(prefix.words).slice(0, prefix.length) === bits(words).slice(0, prefix.length)
      )
      .toSorted((a, b) => b.prefix.length - a.prefix.length)[0]?.owner;
  }

  prefixesOf(owner: Owner): string[] {
    return [...this.#entries.values()].filter((entry) => entry.owner === owner)
      .map(({ prefix }) => keyOf(prefix)).toSorted();
  }
}

/** Few different bits, so that prefixes nest, fork and meet. */
const word = fc.oneof(
  fc.constantFrom(0, 0x80000000, 0xc0000000, 0xffffffff, 0x0a000000, 0x0a800000, 0x0a000001),
  fc.nat(0xffffffff),
).map((value) => value >>> 0);
const family = fc.constantFrom(4 as const, 6 as const);
const addressOf = (family: 4 | 6) => {
  const length = family === 4 ? 1 : 4;
  return fc.array(word, { minLength: length, maxLength: length });
};
const prefix = family.chain((family) =>
  fc.tuple(addressOf(family), fc.nat(family === 4 ? 32 : 128)).map(([words, length]): Prefix => ({
    family,
    words: words.map((value, index) => masked(value, length - 32 * index)),
    length,
  }))
);
const owner = fc.constantFrom(...OWNERS);
const action = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("insert" as const), prefix, owner }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("remove" as const), prefix, owner }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("removeOwner" as const), owner }) },
);

Deno.test("as a list searched for the longest prefix", () => {
  const probe = family.chain((family) => addressOf(family).map((words) => ({ family, words })));
  fc.assert(
    fc.property(
      fc.array(action, { maxLength: 60 }),
      fc.array(probe, { maxLength: 20 }),
      (actions, probes) => {
        const trie = new AllowedIps<Owner>();
        const model = new Model();
        const inserted: Prefix[] = [];
        for (const step of actions) {
          if (step.kind === "insert") {
            trie.insert(step.prefix, step.owner);
            model.insert(step.prefix, step.owner);
            inserted.push(step.prefix);
          } else if (step.kind === "remove") {
            const target = inserted[step.owner.name] ?? step.prefix;
            assert.equal(trie.remove(target, step.owner), model.remove(target, step.owner));
          } else {
            trie.removeOwner(step.owner);
            model.removeOwner(step.owner);
          }
        }
        for (const one of OWNERS) {
          assert.deepEqual(trie.prefixesOf(one).map(keyOf).toSorted(), model.prefixesOf(one));
        }
        const all = [
          ...probes,
          ...inserted.map(({ family, words }) => ({
            family,
            words: Array.from(words),
          })),
        ];
        for (const { family, words } of all) {
          const [a = 0, b = 0, c = 0, d = 0] = words;
          const found = family === 4 ? trie.lookup4(a) : trie.lookup6(a, b, c, d);
          assert.equal(found, model.lookup(family, words));
        }
      },
    ),
    { numRuns: 300 },
  );
});

Deno.test("100,000 prefixes: all found, all removed", () => {
  const trie = new AllowedIps<Owner>();
  const [first, second] = OWNERS;
  assert.ok(first !== undefined && second !== undefined);
  for (let index = 0; index < 100_000; index++) {
    trie.insert({ family: 4, words: [(index * 2654435761) >>> 0], length: 32 }, first);
  }
  trie.insert({ family: 4, words: [0], length: 0 }, second);
  assert.equal(trie.lookup4(2654435761), first);
  assert.equal(trie.lookup4(12345), second);
  assert.equal(trie.prefixesOf(first).length, 100_000);
  trie.removeOwner(first);
  assert.equal(trie.lookup4(2654435761), second);
});

function keyOf({ family, words, length }: Prefix): string {
  return `${family} ${Array.from(words, (value) => value >>> 0).join(".")}/${length}`;
}

function bits(words: ArrayLike<number>): string {
  return Array.from(words, (value) => (value >>> 0).toString(2).padStart(32, "0")).join("");
}

function masked(value: number, length: number): number {
  if (length <= 0) return 0;
  return length >= 32 ? value : (value & (-1 << (32 - length))) >>> 0;
}
