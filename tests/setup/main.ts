/** `deno task setup [--for=demo|tests|bench]`: 0 when everything is there, 1 when something stays missing. */
import type { Purpose } from "./packages.ts";
import { setUp } from "./setup.ts";

const USAGE = "Usage: deno task setup [--for=demo|tests|bench]";
const PURPOSES: readonly string[] = ["demo", "tests", "bench"] satisfies Purpose[];

Deno.exit(await main(Deno.args));

async function main(args: readonly string[]): Promise<number> {
  let purpose: Purpose = "tests";
  for (const arg of args) {
    const word = /^--for=(.*)$/.exec(arg)?.[1];
    if (arg === "--help") {
      console.log(`${USAGE}\nInstalls the Debian packages that are missing (needs root).`);
      return 0;
    }
    if (word === undefined || !PURPOSES.includes(word)) {
      console.error(`Cannot set up: ${arg} is not understood; ${USAGE}`);
      return 2;
    }
    purpose = word as Purpose;
  }
  const { missing } = await setUp(purpose);
  return missing.length > 0 ? 1 : 0;
}
