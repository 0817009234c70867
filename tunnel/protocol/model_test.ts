import assert from "node:assert/strict";
import type { Crypto } from "./crypto.ts";
import { NATIVE_CRYPTOS } from "./every_crypto.ts";
import { type HistoryResult, playHistory } from "./history.ts";
import { nobleCrypto } from "./noble.ts";

/** By hand: `SEKISHO_MODEL_SEEDS=1000-3000 deno test -A tunnel/protocol/model_test.ts`. */
const BY_HAND = Deno.env.get("SEKISHO_MODEL_SEEDS");
/** The portable one is twenty times slower: it gets fewer histories of the same kind. */
const CRYPTOS: readonly (readonly [Crypto, number])[] = [
  ...NATIVE_CRYPTOS.map((crypto) => [crypto, 24] as const),
  [nobleCrypto, NATIVE_CRYPTOS.length === 0 ? 24 : 3],
];

const KINDS = [[2, false], [3, false], [2, true], [3, true]] as const;

for (const [crypto, most] of CRYPTOS) {
  for (const [devices, manual] of KINDS) {
    const count = manual ? Math.ceil(most / 3) : most;
    const which = `${devices} devices${manual ? " with manual keys" : ""}`;
    Deno.test(`random histories of ${which} keep every promise (${crypto.name})`, () => {
      const total = { sent: 0, delivered: 0, handshakes: 0 };
      for (const seed of seeds(count)) {
        const result = playSeed(crypto, { seed, devices, manual });
        total.sent += result.sent;
        total.delivered += result.delivered;
        total.handshakes += result.handshakes;
      }
      // A model of devices that say nothing to each other would hold too.
      assert.ok(total.delivered > total.sent / 10, JSON.stringify(total));
      assert.ok(total.handshakes > 2 * count, JSON.stringify(total));
    });
  }
}

interface Parts {
  readonly seed: number;
  readonly devices: number;
  readonly manual: boolean;
}

function playSeed(crypto: Crypto, parts: Parts): HistoryResult {
  try {
    return playHistory(crypto, { ...parts, steps: 600 });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(
      `${why}\nThe history: ${JSON.stringify(parts)}, ${crypto.name}; ` +
        `again by SEKISHO_MODEL_SEEDS=${parts.seed}-${parts.seed}`,
      { cause: error },
    );
  }
}

function seeds(count: number): number[] {
  const [first = 1, last = count] = BY_HAND?.split("-").map(Number) ?? [];
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}
