/**
 * What a hub keeps of a split profile: its share, and whom it gives that to. Signed by the issuer,
 * so that nobody who can write to the hub's folder can put another card in.
 */
import * as v from "valibot";
import { type IssuerSigner, signJson, verifyJson } from "./jws.ts";
import { LONGEST_SHARE_RECORD } from "./limits.ts";
import { SHARE_BYTES, SHARE_ID_BYTES } from "./split.ts";
import type { IssuerKey } from "./types.ts";

const RECORD_VERSION = 1;

/** One share at a hub. */
export interface ShareRecord {
  /** 16 bytes. */
  readonly id: Uint8Array;
  readonly profileId: string;
  readonly cardId: string;
  readonly generation: number;
  /** Unix seconds. */
  readonly expiresAt: number;
  /** The client's name, for the hub's administrator. */
  readonly clientId: string;
  /** The card's P-256 key that signs, a compressed point of 33 bytes. */
  readonly proofKey: Uint8Array;
  /** 17 bytes. */
  readonly share: Uint8Array;
  readonly issuer: IssuerKey;
}

const base64url = (bytes: number) =>
  v.pipe(
    v.string(),
    v.regex(/^[A-Za-z0-9_-]+$/),
    v.check((text) => text.length === Math.ceil(bytes * 8 / 6)),
    v.rawTransform(({ dataset: { value }, addIssue, NEVER }) => {
      try {
        return Uint8Array.fromBase64(value, { alphabet: "base64url" });
      } catch {
        addIssue({ message: "base64url" });
        return NEVER;
      }
    }),
  );
const word = (longest: number) => v.pipe(v.string(), v.minLength(1), v.maxLength(longest));
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

const RecordSchema = v.object({
  v: v.literal(RECORD_VERSION),
  id: base64url(SHARE_ID_BYTES),
  profileId: word(64),
  cardId: word(64),
  generation: count,
  expiresAt: count,
  clientId: word(128),
  proofKey: base64url(33),
  share: base64url(SHARE_BYTES),
});

/** Writes a record: ASCII, for a file of the hub's. */
export function signShareRecord(
  record: Omit<ShareRecord, "issuer">,
  issuer: IssuerSigner,
): Promise<Uint8Array> {
  const { id, proofKey, share, ...rest } = record;
  const text = (bytes: Uint8Array) => bytes.toBase64({ alphabet: "base64url", omitPadding: true });
  return signJson({
    v: RECORD_VERSION,
    ...rest,
    id: text(id),
    proofKey: text(proofKey),
    share: text(share),
  }, { kind: "sekisho-share", issuer });
}

/** Reads a record, or says what is wrong with it. */
export async function readShareRecord(
  bytes: Uint8Array,
  issuerKeys: readonly IssuerKey[],
): Promise<ShareRecord | "damaged" | "forged"> {
  const verified = await verifyJson(trimmed(bytes), {
    kind: "sekisho-share",
    issuerKeys,
    longest: LONGEST_SHARE_RECORD,
  });
  if (typeof verified === "string") return verified;
  const parsed = v.safeParse(RecordSchema, verified.value);
  if (!parsed.success) return "damaged";
  const { v: _version, ...record } = parsed.output;
  return { ...record, issuer: verified.issuer };
}

/** Without a line end that an editor may have added. */
function trimmed(bytes: Uint8Array): Uint8Array {
  let end = bytes.length;
  while (end > 0 && (bytes[end - 1] ?? 0) <= 0x20) end--;
  return bytes.subarray(0, end);
}
