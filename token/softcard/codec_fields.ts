/** What the parts of the state file have in common: byte strings in base64, PIN references. @core */
import { Buffer } from "node:buffer";
import * as v from "valibot";
import type { Reference } from "./reference.ts";

export function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}

export function referenceToFile(one: Reference): Record<string, unknown> {
  return { ...one, salt: base64(one.salt), wrapped: base64(one.wrapped) };
}

export const BYTES = v.pipe(
  v.string(),
  v.base64(),
  v.transform((text): Uint8Array => new Uint8Array(Buffer.from(text, "base64"))),
);

/** Exactly so many bytes. */
export function bytesOf(length: number) {
  return v.pipe(BYTES, v.check((bytes) => bytes.length === length));
}

const COUNT = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(15));
const COST = v.object({
  N: v.pipe(v.number(), v.integer(), v.maxValue(1 << 20)),
  r: v.pipe(v.number(), v.integer(), v.maxValue(32)),
  p: v.pipe(v.number(), v.integer(), v.maxValue(4)),
});

export const REFERENCE = v.object({
  triesLeft: COUNT,
  tries: COUNT,
  isDefault: v.boolean(),
  salt: BYTES,
  cost: COST,
  wrapped: BYTES,
});
