/** Random changes of inputs, from a seed, so that a failure comes again. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0 || 1;
  }

  /** 0 to `limit - 1` (xorshift32). */
  below(limit: number): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x;
    return (x >>> 0) % limit;
  }
}

const LONGEST = 2048;
/** Values at which things change. */
const INTERESTING = [0, 1, 4, 6, 16, 17, 20, 40, 44, 0x45, 0x60, 0x7f, 0x80, 0xff];

/** One to eight changes of `input`; `others` lend pieces. */
export function mutate(
  input: Uint8Array,
  { random, others }: { random: Random; others: readonly Uint8Array[] },
): Uint8Array {
  let bytes: Uint8Array = input.slice();
  for (let change = 1 << random.below(4); change > 0; change--) {
    bytes = changed(bytes, { random, others });
  }
  return bytes.slice(0, LONGEST);
}

function changed(
  bytes: Uint8Array,
  { random, others }: { random: Random; others: readonly Uint8Array[] },
): Uint8Array {
  const at = random.below(bytes.length + 1);
  switch (random.below(7)) {
    case 0:
      return flipped(bytes, { at, mask: 1 << random.below(8) });
    case 1:
      return flipped(bytes, { at, mask: random.below(256) });
    case 2:
      return spliced(bytes, { from: at, to: at + 1, piece: [interesting(random)] });
    case 3:
      return spliced(bytes, { from: at, to: at, piece: [interesting(random), random.below(256)] });
    case 4:
      return spliced(bytes, { from: at, to: at + random.below(16), piece: [] });
    case 5:
      return spliced(bytes, { from: at, to: at, piece: bytes.subarray(random.below(at + 1), at) });
    default: {
      const other = others[random.below(Math.max(1, others.length))] ?? bytes;
      const start = random.below(other.length + 1);
      const piece = other.subarray(start, start + random.below(64));
      return spliced(bytes, { from: at, to: at + piece.length, piece });
    }
  }
}

function interesting(random: Random): number {
  return INTERESTING[random.below(INTERESTING.length)] ?? 0;
}

function flipped(
  bytes: Uint8Array,
  { at, mask }: { at: number; mask: number },
): Uint8Array {
  const result = bytes.slice();
  if (at < result.length) result[at] = (result[at] ?? 0) ^ mask;
  return result;
}

function spliced(
  bytes: Uint8Array,
  { from, to, piece }: { from: number; to: number; piece: ArrayLike<number> },
): Uint8Array {
  const head = bytes.subarray(0, from);
  const tail = bytes.subarray(Math.min(to, bytes.length));
  return Uint8Array.from([...head, ...Array.from(piece), ...tail]);
}
