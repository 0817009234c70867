/**
 * The head of a profile: signed, readable without a PIN, and enough to refuse a card before one is
 * asked for. It tells a later version, another card, one taken back, an older generation and an
 * expiry apart.
 */
import * as v from "valibot";
import { type IssuerSigner, signJson, verifyJson } from "./jws.ts";
import { LONGEST_HEAD } from "./limits.ts";
import { isEndpoint } from "./profile.ts";
import { SHARE_ID_BYTES } from "./split.ts";
import type { HeadCheck, HeadContext, ProfileHead } from "./types.ts";

/** The version of heads that this program writes and reads. */
const HEAD_VERSION = 1;

const base64url = (bytes: number) =>
  v.pipe(
    v.string(),
    v.regex(/^[A-Za-z0-9_-]+$/),
    v.transform(fromBase64url),
    v.check((value) => value?.length === bytes),
    v.transform((value) => value ?? new Uint8Array(0)),
  );
const word = (longest: number) => v.pipe(v.string(), v.minLength(1), v.maxLength(longest));

const HeadSchema = v.object({
  v: v.literal(HEAD_VERSION),
  profileId: word(64),
  cardId: word(64),
  holder: word(128),
  expiresAt: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  generation: v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
  asksUserId: v.optional(v.literal(true)),
  inner: base64url(32),
  sealedTo: v.optional(v.object({
    slot: v.pipe(v.number(), v.integer(), v.minValue(0x82), v.maxValue(0x9d)),
    publicKey: base64url(33),
  })),
  split: v.optional(v.object({
    id: base64url(SHARE_ID_BYTES),
    hub: v.pipe(word(262), v.check(isEndpoint)),
    hubKey: base64url(32),
    proofSlot: v.pipe(v.number(), v.integer(), v.minValue(0x82), v.maxValue(0x9e)),
  })),
});

/** Signs a head. */
export function signHead(
  head: Omit<ProfileHead, "issuer">,
  issuer: IssuerSigner,
): Promise<Uint8Array> {
  const { profileId, cardId, holder, expiresAt, generation, inner, sealedTo, split } = head;
  const { asksUserId } = head;
  const value = {
    v: HEAD_VERSION,
    profileId,
    cardId,
    holder,
    expiresAt,
    generation,
    ...(asksUserId === undefined ? {} : { asksUserId }),
    inner: toBase64url(inner),
    ...(sealedTo === undefined
      ? {}
      : { sealedTo: { slot: sealedTo.slot, publicKey: toBase64url(sealedTo.publicKey) } }),
    ...(split === undefined
      ? {}
      : { split: { ...split, id: toBase64url(split.id), hubKey: toBase64url(split.hubKey) } }),
  };
  return signJson(value, { kind: "sekisho-head", issuer });
}

/** Judges a head as it was read from a card. */
export async function checkHead(bytes: Uint8Array, context: HeadContext): Promise<HeadCheck> {
  const { issuerKeys, cardId, now, highestGeneration } = context;
  const verified = await verifyJson(bytes, {
    kind: "sekisho-head",
    issuerKeys,
    longest: LONGEST_HEAD,
  });
  if (typeof verified === "string") return { result: "fault", fault: verified };
  if (versionOf(verified.value) > HEAD_VERSION) return { result: "fault", fault: "newer-version" };
  const parsed = v.safeParse(HeadSchema, verified.value);
  if (!parsed.success) return { result: "fault", fault: "damaged" };
  const { v: _version, asksUserId, sealedTo, split, ...rest } = parsed.output;
  const head: ProfileHead = {
    ...rest,
    ...(asksUserId === undefined ? {} : { asksUserId }),
    ...(sealedTo === undefined ? {} : { sealedTo }),
    ...(split === undefined ? {} : { split }),
    issuer: verified.issuer,
  };
  if (head.cardId !== cardId) return { result: "fault", fault: "other-card" };
  if (context.isRevoked?.(head)) return { result: "fault", fault: "revoked" };
  if (head.generation < highestGeneration) return { result: "fault", fault: "older-generation" };
  return { result: now >= head.expiresAt ? "expired" : "ok", head };
}

function versionOf(value: unknown): number {
  const parsed = v.safeParse(v.object({ v: v.number() }), value);
  return parsed.success ? parsed.output.v : 0;
}

function fromBase64url(text: string): Uint8Array | undefined {
  try {
    return Uint8Array.fromBase64(text, { alphabet: "base64url", lastChunkHandling: "loose" });
  } catch {
    return undefined;
  }
}

function toBase64url(bytes: Uint8Array): string {
  return bytes.toBase64({ alphabet: "base64url", omitPadding: true });
}
