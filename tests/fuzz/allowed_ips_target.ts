/** The trie of allowed IPs, against a list; the input is a program of six bytes an instruction. */
import assert from "node:assert/strict";
import { AllowedIps, type Prefix } from "../../tunnel/protocol/allowed_ips.ts";
import type { FuzzTarget } from "./target.ts";

const OWNERS = [{ name: "a" }, { name: "b" }, { name: "c" }] as const;
type Owner = (typeof OWNERS)[number];
const INSTRUCTION = 6;

export const allowedIps: FuzzTarget = {
  name: "allowed_ips",
  seeds: [
    Uint8Array.from([0, 0, 8, 10, 0, 0, 1, 0, 16, 10, 1, 0, 2, 0, 32, 10, 1, 2]),
    Uint8Array.from([0, 4, 64, 1, 2, 3, 4, 5, 128, 1, 2, 4, 9, 0, 0, 1, 2, 3]),
  ],
  run(input) {
    const trie = new AllowedIps<Owner>();
    let list: { prefix: Prefix; owner: Owner }[] = [];
    const did = new Set<string>();
    for (let at = 0; at + INSTRUCTION <= input.length; at += INSTRUCTION) {
      const [code = 0, rest = 0, bits = 0, ...address] = input.subarray(at, at + INSTRUCTION);
      const owner = OWNERS[code % 3] ?? OWNERS[0];
      const prefix = prefixOf((rest & 4) === 0 ? 4 : 6, { bits, address });
      const isSame = (entry: { prefix: Prefix }) => same(entry.prefix, prefix);
      switch (rest & 3) {
        case 0:
        case 1:
          trie.insert(prefix, owner);
          list = [...list.filter((entry) => !isSame(entry)), { prefix, owner }];
          break;
        case 2: {
          const had = list.some((entry) => isSame(entry) && entry.owner === owner);
          assert.equal(trie.remove(prefix, owner), had);
          if (had) list = list.filter((entry) => !isSame(entry));
          did.add(had ? "removed" : "not there");
          break;
        }
        case 3:
          trie.removeOwner(owner);
          list = list.filter((entry) => entry.owner !== owner);
          did.add("removed all");
      }
      const expected = lookup(list, prefix);
      const found = prefix.family === 4
        ? trie.lookup4(prefix.words[0] ?? 0)
        : trie.lookup6(...(Array.from(prefix.words) as [number, number, number, number]));
      assert.equal(found?.name, expected?.name);
      did.add(found === undefined ? "nobody" : "somebody");
    }
    for (const owner of OWNERS) {
      const count = list.filter((entry) => entry.owner === owner).length;
      assert.equal(trie.prefixesOf(owner).length, count);
    }
    return [...did, Math.min(4, list.length)].join(" ");
  },
};

function prefixOf(
  family: 4 | 6,
  { bits, address }: { bits: number; address: readonly number[] },
): Prefix {
  const length = bits % (family === 4 ? 33 : 129);
  const [x = 0, y = 0, z = 0] = address;
  const spread = (x << 24 | (y & 3) << 16 | (z & 3)) >>> 0;
  const words = family === 4 ? [spread] : [spread, y & 1, spread, z];
  return { family, words: words.map((word, index) => masked(word, length - 32 * index)), length };
}

function lookup(
  list: readonly { prefix: Prefix; owner: Owner }[],
  address: Prefix,
): Owner | undefined {
  let best: { prefix: Prefix; owner: Owner } | undefined;
  for (const entry of list) {
    const { family, words, length } = entry.prefix;
    const covers = family === address.family && Array.from(words).every((word, index) => {
      return masked(address.words[index] ?? 0, length - 32 * index) === word;
    });
    if (covers && (best === undefined || length > best.prefix.length)) best = entry;
  }
  return best?.owner;
}

function masked(word: number, bits: number): number {
  if (bits <= 0) return 0;
  return bits >= 32 ? word >>> 0 : (word & (-1 << (32 - bits))) >>> 0;
}

function same(a: Prefix, b: Prefix): boolean {
  return a.family === b.family && a.length === b.length &&
    Array.from(a.words).every((word, index) => word === b.words[index]);
}
