/**
 * Which peer an address belongs to: for each address family a binary trie with compressed paths,
 * longest prefix first. Nodes lie in one Int32Array, so a lookup touches no object.
 */

/** A prefix; `words` has one element for IPv4 and four for IPv6, bits behind `length` zero. */
export interface Prefix {
  readonly family: 4 | 6;
  readonly words: ArrayLike<number>;
  readonly length: number;
}

export class AllowedIps<Owner extends object> {
  readonly #v4 = new Trie<Owner>(1);
  readonly #v6 = new Trie<Owner>(4);

  /** Gives the prefix to `owner`; whoever had exactly this prefix loses it. */
  insert(prefix: Prefix, owner: Owner): void {
    this.#trie(prefix.family).insert(prefix.words, prefix.length, owner);
  }

  /** Takes the prefix from `owner`, if it has exactly this one. */
  remove(prefix: Prefix, owner: Owner): boolean {
    return this.#trie(prefix.family).remove(prefix.words, prefix.length, owner);
  }

  removeOwner(owner: Owner): void {
    this.#v4.removeOwner(owner);
    this.#v6.removeOwner(owner);
  }

  /** Destination of an address that is there as words in network order. */
  lookup4(a: number): Owner | undefined {
    return this.#v4.lookup(a, 0, 0, 0);
  }

  lookup6(a: number, b: number, c: number, d: number): Owner | undefined {
    return this.#v6.lookup(a, b, c, d);
  }

  prefixesOf(owner: Owner): Prefix[] {
    return [
      ...this.#v4.prefixesOf(owner).map((prefix) => ({ family: 4 as const, ...prefix })),
      ...this.#v6.prefixesOf(owner).map((prefix) => ({ family: 6 as const, ...prefix })),
    ];
  }

  #trie(family: 4 | 6): Trie<Owner> {
    return family === 4 ? this.#v4 : this.#v6;
  }
}

/** Layout of a node: children, prefix length, then the prefix's words. Node 0 is "none". */
const LEFT = 0;
const LENGTH = 2;
const WORDS = 3;
const NODE = 7;

class Trie<Owner extends object> {
  #nodes = new Int32Array(NODE * 16);
  readonly #owners: (Owner | undefined)[] = [undefined];
  readonly #freeNodes: number[] = [];
  readonly #nodesOf = new Map<Owner, Set<number>>();
  readonly #wordCount: number;
  #root = 0;
  /** The address being worked on. */
  readonly #key = new Int32Array(4);

  constructor(wordCount: 1 | 4) {
    this.#wordCount = wordCount;
  }

  lookup(a: number, b: number, c: number, d: number): Owner | undefined {
    const key = this.#key;
    key[0] = a;
    key[1] = b;
    key[2] = c;
    key[3] = d;
    const bits = this.#wordCount * 32;
    let found: Owner | undefined;
    let node = this.#root;
    while (node !== 0) {
      const length = this.#get(node, LENGTH);
      if (this.#common(node, length) < length) break;
      found = this.#owners[node] ?? found;
      if (length === bits) break;
      node = this.#get(node, LEFT + this.#bit(length));
    }
    return found;
  }

  insert(words: ArrayLike<number>, length: number, owner: Owner): void {
    this.#load(words);
    let parent = 0;
    let side = 0;
    let node = this.#root;
    while (node !== 0) {
      const nodeLength = this.#get(node, LENGTH);
      const common = this.#common(node, Math.min(length, nodeLength));
      if (common < nodeLength) {
        this.#insertAbove(node, { parent, side, common, length, owner });
        return;
      }
      if (nodeLength === length) {
        this.#setOwner(node, owner);
        return;
      }
      parent = node;
      side = this.#bit(nodeLength);
      node = this.#get(node, LEFT + side);
    }
    this.#link(parent, side, this.#create(length, owner));
  }

  remove(words: ArrayLike<number>, length: number, owner: Owner): boolean {
    this.#load(words);
    const path: number[] = [];
    let node = this.#root;
    while (node !== 0) {
      const nodeLength = this.#get(node, LENGTH);
      if (nodeLength > length || this.#common(node, nodeLength) < nodeLength) return false;
      path.push(node);
      if (nodeLength === length) break;
      node = this.#get(node, LEFT + this.#bit(nodeLength));
    }
    if (node === 0 || this.#owners[node] !== owner) return false;
    this.#setOwner(node, undefined);
    this.#prune(path);
    return true;
  }

  removeOwner(owner: Owner): void {
    for (const prefix of this.prefixesOf(owner)) this.remove(prefix.words, prefix.length, owner);
  }

  prefixesOf(owner: Owner): { words: Int32Array; length: number }[] {
    return [...this.#nodesOf.get(owner) ?? []].map((node) => ({
      words: this.#nodes.slice(node * NODE + WORDS, node * NODE + WORDS + this.#wordCount),
      length: this.#get(node, LENGTH),
    }));
  }

  /** The new prefix ends inside the path to `node`: it becomes its parent, or its sibling under a fork. */
  #insertAbove(
    node: number,
    at: { parent: number; side: number; common: number; length: number; owner: Owner },
  ): void {
    const nodeSide = this.#bitOf(node, at.common);
    const created = this.#create(at.length, at.owner);
    if (at.common === at.length) {
      this.#link(created, nodeSide, node);
      this.#link(at.parent, at.side, created);
      return;
    }
    const fork = this.#create(at.common, undefined);
    this.#link(fork, nodeSide, node);
    this.#link(fork, 1 - nodeSide, created);
    this.#link(at.parent, at.side, fork);
  }

  /** Removes nodes that own nothing and have fewer than two children, from the end of `path` upward. */
  #prune(path: number[]): void {
    for (let depth = path.length - 1; depth >= 0; depth--) {
      const node = path[depth] ?? 0;
      const left = this.#get(node, LEFT);
      const right = this.#get(node, LEFT + 1);
      if (this.#owners[node] !== undefined || (left !== 0 && right !== 0)) return;
      const parent = depth === 0 ? 0 : path[depth - 1] ?? 0;
      const side = parent !== 0 && this.#get(parent, LEFT + 1) === node ? 1 : 0;
      this.#link(parent, side, left !== 0 ? left : right);
      this.#nodes.fill(0, node * NODE, node * NODE + NODE);
      this.#freeNodes.push(node);
    }
  }

  #create(length: number, owner: Owner | undefined): number {
    const node = this.#freeNodes.pop() ?? this.#owners.push(undefined) - 1;
    if ((node + 1) * NODE > this.#nodes.length) {
      const larger = new Int32Array(this.#nodes.length * 2);
      larger.set(this.#nodes);
      this.#nodes = larger;
    }
    const base = node * NODE;
    this.#nodes[base + LEFT] = 0;
    this.#nodes[base + LEFT + 1] = 0;
    this.#nodes[base + LENGTH] = length;
    for (let word = 0; word < this.#wordCount; word++) {
      this.#nodes[base + WORDS + word] = (this.#key[word] ?? 0) & wordMask(length - word * 32);
    }
    this.#setOwner(node, owner);
    return node;
  }

  #setOwner(node: number, owner: Owner | undefined): void {
    const before = this.#owners[node];
    if (before !== undefined) {
      const nodes = this.#nodesOf.get(before);
      nodes?.delete(node);
      if (nodes?.size === 0) this.#nodesOf.delete(before);
    }
    this.#owners[node] = owner;
    if (owner === undefined) return;
    const nodes = this.#nodesOf.get(owner);
    if (nodes === undefined) this.#nodesOf.set(owner, new Set([node]));
    else nodes.add(node);
  }

  #link(parent: number, side: number, child: number): void {
    if (parent === 0) this.#root = child;
    else this.#nodes[parent * NODE + LEFT + side] = child;
  }

  #load(words: ArrayLike<number>): void {
    for (let word = 0; word < 4; word++) this.#key[word] = words[word] ?? 0;
  }

  /** How many leading bits `node` and the key share, counted up to `limit`. */
  #common(node: number, limit: number): number {
    const base = node * NODE + WORDS;
    for (let word = 0; word * 32 < limit; word++) {
      const difference = (this.#nodes[base + word] ?? 0) ^ (this.#key[word] ?? 0);
      if (difference !== 0) return Math.min(limit, word * 32 + Math.clz32(difference));
    }
    return limit;
  }

  #bit(position: number): number {
    return ((this.#key[position >> 5] ?? 0) >>> (31 - (position & 31))) & 1;
  }

  #bitOf(node: number, position: number): number {
    const word = this.#nodes[node * NODE + WORDS + (position >> 5)] ?? 0;
    return (word >>> (31 - (position & 31))) & 1;
  }

  #get(node: number, field: number): number {
    return this.#nodes[node * NODE + field] ?? 0;
  }
}

/** A mask of the `bits` highest bits of a word; all for 32 and more, none for 0 and less. */
function wordMask(bits: number): number {
  if (bits >= 32) return -1;
  return bits <= 0 ? 0 : -1 << (32 - bits);
}
