/**
 * Sealing packets by the fastest cipher of this machine beside libcrypto's, calls included, in turn in
 * one process; what was sealed is opened again by the other. Prints one line for each size.
 * `deno run -A bench/packet_cipher.ts [--pairs N] [--avx2]`; --avx2 as on a processor without AVX-512.
 */
import { nativeCrypto } from "../tunnel/protocol/native.ts";
import { round } from "./lib/compare.ts";
import { readNumber, readOptions } from "./lib/options.ts";
import { median, spread } from "./lib/statistics.ts";

const SIZES = [1420, 64];
const PACKETS = 500;
const PLACE = 2048;
const ROUNDS = 100;

const values = readOptions({
  pairs: { type: "string", default: "9" },
  avx2: { type: "boolean", default: false },
});
const pairs = readNumber("pairs", values.pairs);
const fastest = nativeCrypto(values.avx2 ? "avx2" : "fastest");
const plain = nativeCrypto("libcrypto");
if (fastest === undefined || plain === undefined || fastest.name === plain.name) {
  throw new Error("Cannot compare: install libssl3 and libipsec-mb1 on a processor with AVX2");
}
const arena = new Uint8Array(PACKETS * PLACE);
const ciphers = [fastest.transport(arena), plain.transport(arena)] as const;
const key = crypto.getRandomValues(new Uint8Array(32));

for (const size of SIZES) {
  const times: [number[], number[]] = [[], []];
  for (let pair = 0; pair <= pairs; pair++) {
    for (const which of pair % 2 === 0 ? [0, 1] as const : [1, 0] as const) {
      const taken = sealAll(which, size);
      // The first pair is for the compiler.
      if (pair > 0) times[which].push(taken);
    }
  }
  const ratios = times[0].map((ours, at) => ours / (times[1][at] ?? NaN));
  console.log(JSON.stringify({
    name: `sealing ${size} B, ${fastest.name}`,
    ours: round(median(times[0])),
    peer: round(median(times[1])),
    ratio: round(median(ratios)),
    unit: "us",
    peerVersion: "libcrypto, called by us",
    pairs,
    spread: { ratio: spread(ratios).map(round) },
  }));
}

/** Microseconds for each packet. */
function sealAll(which: 0 | 1, size: number): number {
  const cipher = ciphers[which];
  let counter = 0;
  const since = performance.now();
  for (let turn = 0; turn < ROUNDS; turn++) {
    for (let at = 0; at < PACKETS; at++) cipher.seal(key, counter++, at * PLACE, size);
  }
  const taken = (performance.now() - since) * 1000 / (ROUNDS * PACKETS);
  for (let at = 0; at < PACKETS; at++) {
    const opened = ciphers[which === 0 ? 1 : 0].open(
      key,
      counter - PACKETS + at,
      at * PLACE,
      size,
    );
    if (!opened) throw new Error("Cannot compare: the ciphers don't understand each other");
  }
  return taken;
}
