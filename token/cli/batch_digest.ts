/** What tells that a row of a batch says something else than when it was issued. No I/O. */
import { createHash } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import type { Fields } from "./fields.ts";

/** What a row says, beside its fields. */
export interface Said {
  /** As written: days from now are another date each day. */
  readonly expires: string;
  readonly hasPresharedKey: boolean;
  readonly card: string | undefined;
}

/**
 * Settings that came after the first batches, in their order, and what they are where nothing is
 * said of them. A new setting belongs here too: else each row that is done would seem changed.
 */
const LATER = [
  ["asksUserId", false],
  ["inbound", []],
  ["suite", "wireguard-1"],
] as const satisfies readonly (readonly [keyof Fields, unknown])[];

/** How many of {@linkcode LATER} some version wrote out also where nothing was said of them. */
const WRITTEN_OUT = 3;

/** The digest that a journal gets, and then those that older versions wrote of the same row. */
export function digestsOf(fields: Fields, said: Said): readonly [string, ...string[]] {
  const older = Array.from(
    { length: WRITTEN_OUT },
    (_, index) => digestOf(fields, { said, writtenOut: index + 1 }),
  );
  return [digestOf(fields, { said, writtenOut: 0 }), ...older];
}

function digestOf(fields: Fields, options: { said: Said; writtenOut: number }): string {
  const { said: { expires, hasPresharedKey, card }, writtenOut } = options;
  const unsaid = LATER.slice(writtenOut).filter(([field, usual]) =>
    isDeepStrictEqual(fields[field], usual)
  );
  const left = new Set<string>(["expiresAt", ...unsaid.map(([field]) => field)]);
  const told = Object.fromEntries(Object.entries(fields).filter(([field]) => !left.has(field)));
  const text = JSON.stringify([told, expires, hasPresharedKey ? "yes" : "no", card]);
  return createHash("sha256").update(text).digest("hex").slice(0, 32);
}
