/**
 * A profile as a file: the heads of all cards that it is for, and the one container. It is sealed,
 * so it may lie anywhere; `token put` writes it to a card that a head in it is for, or to
 * its stick.
 */
import * as v from "valibot";
import { LARGEST_CONTAINER, LONGEST_HEAD, MOST_OTHER_CARDS } from "./limits.ts";
import { LONGEST_STICK_HEAD } from "../stick/layout.ts";
import type { SealedProfile } from "./seal.ts";

/** Largest bundle. */
export const LONGEST_BUNDLE = 64 * 1024;

/** What a bundle holds; nothing of it is checked but its shape. */
export interface Bundle {
  readonly heads: readonly Uint8Array[];
  readonly sealed: Uint8Array;
  /** The head of the stick that it is for, framed; absent: it is for cards. */
  readonly stick?: Uint8Array;
}

const base64 = (longest: number) =>
  v.pipe(
    v.string(),
    v.maxLength(Math.ceil(longest / 3) * 4),
    v.regex(/^[A-Za-z0-9+/]+={0,2}$/),
    v.check((text) => text.length % 4 === 0),
  );

const BundleSchema = v.strictObject({
  sekisho: v.literal("profile"),
  v: v.literal(1),
  heads: v.pipe(
    v.array(v.pipe(v.string(), v.regex(/^[A-Za-z0-9_.-]+$/), v.maxLength(LONGEST_HEAD))),
    v.minLength(1),
    v.maxLength(1 + MOST_OTHER_CARDS),
  ),
  sealed: base64(LARGEST_CONTAINER),
  stick: v.optional(base64(LONGEST_STICK_HEAD)),
});

/** Writes a bundle; `stick` is the framed head of the stick that it is for. */
export function formatBundle(
  { head, otherHeads, sealed }: Pick<SealedProfile, "head" | "otherHeads" | "sealed">,
  stick?: Uint8Array,
): string {
  const heads = [head, ...otherHeads.values()].map((one) => new TextDecoder().decode(one));
  return `${
    JSON.stringify({
      sekisho: "profile",
      v: 1,
      heads,
      sealed: sealed.toBase64(),
      ...(stick === undefined ? {} : { stick: stick.toBase64() }),
    })
  }\n`;
}

/** Reads a bundle; `undefined` when it is none. */
export function parseBundle(text: string): Bundle | undefined {
  if (text.length > LONGEST_BUNDLE) return undefined;
  try {
    const { heads, sealed, stick } = v.parse(BundleSchema, JSON.parse(text));
    return {
      heads: heads.map((head) => new TextEncoder().encode(head)),
      sealed: Uint8Array.fromBase64(sealed),
      ...(stick === undefined ? {} : { stick: Uint8Array.fromBase64(stick) }),
    };
  } catch {
    return undefined; // whatever is wrong with it, it is no bundle
  }
}
