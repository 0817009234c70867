/** PINs to search for in memory. */
import { randomInt } from "node:crypto";

/**
 * Eight digits, made anew each time. Thousands of such rows of digits stand in the runtime's own
 * file, and so in every process that runs it: none of those is taken.
 */
export function rarePin(): string {
  for (;;) {
    const pin = String(randomInt(10_000_000, 100_000_000));
    if (!isIn(Deno.execPath(), pin)) return pin;
  }
}

/** By grep, which looks through a hundred megabytes in no time. */
function isIn(path: string, text: string): boolean {
  const { code } = new Deno.Command("grep", {
    args: ["--quiet", "--text", "--fixed-strings", text, path],
    env: { LC_ALL: "C" },
  }).outputSync();
  if (code > 1) throw new Error(`Cannot look through ${path}: grep ended with ${code}`);
  return code === 0;
}
