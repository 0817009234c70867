/**
 * What an issuer has taken back: a signed list (JWS) whose number only rises. It speaks of that
 * issuer's own profiles and of nobody else's.
 */
import * as v from "valibot";
import { type IssuerSigner, signJson, verifyJson } from "./jws.ts";
import { LONGEST_REVOCATIONS, MOST_REVOCATIONS } from "./limits.ts";
import type { IssuerKey } from "./types.ts";

const LIST_VERSION = 1;

/** Why a profile was taken back, for people. */
export const REVOCATION_REASONS = [
  "lost",
  "stolen",
  "compromised",
  "replaced",
  "left",
  "unspecified",
] as const;
export type RevocationReason = typeof REVOCATION_REASONS[number];

/** One thing that is taken back. */
export type Revocation =
  & {
    /** Unix seconds. */
    readonly at: number;
    readonly reason: RevocationReason;
  }
  & (
    /** A profile, in all its generations. */
    | { readonly profile: string }
    /** Whatever that card carries up to a generation; issued anew, it is good again. */
    | { readonly card: string; readonly upTo: number }
  );

/** A list whose signature holds. */
export interface RevocationList {
  readonly issuer: IssuerKey;
  /** Rises with every change. */
  readonly number: number;
  /** Unix seconds. */
  readonly issuedAt: number;
  readonly entries: readonly Revocation[];
}

/** What tells one profile from others. */
export interface ProfileName {
  readonly issuer: string;
  readonly profileId: string;
  readonly cardId: string;
  readonly generation: number;
}

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const word = v.pipe(v.string(), v.minLength(1), v.maxLength(64));
const common = { at: count, reason: v.picklist(REVOCATION_REASONS) };

const ListSchema = v.object({
  v: v.literal(LIST_VERSION),
  number: v.pipe(count, v.minValue(1)),
  issuedAt: count,
  entries: v.pipe(
    v.array(v.union([
      v.strictObject({ ...common, profile: word }),
      v.strictObject({ ...common, card: word, upTo: count }),
    ])),
    v.maxLength(MOST_REVOCATIONS),
  ),
});

/**
 * Signs a list.
 * @throws {RangeError} when it has more entries than readers take.
 */
export async function signRevocations(
  list: Omit<RevocationList, "issuer">,
  issuer: IssuerSigner,
): Promise<Uint8Array> {
  const { number, issuedAt, entries } = list;
  const bytes = await signJson({ v: LIST_VERSION, number, issuedAt, entries }, {
    kind: "sekisho-revocations",
    issuer,
  });
  if (entries.length > MOST_REVOCATIONS || bytes.length > LONGEST_REVOCATIONS) {
    throw new RangeError(
      `Cannot sign the list: it has ${entries.length} entries of at most ${MOST_REVOCATIONS}; ` +
        "begin with a new issuer's key",
    );
  }
  return bytes;
}

/** Reads a list, or says what is wrong with it. */
export async function readRevocations(
  bytes: Uint8Array,
  issuerKeys: readonly IssuerKey[],
): Promise<RevocationList | "damaged" | "forged" | "newer-version"> {
  const text = bytes.subarray(0, LONGEST_REVOCATIONS + 1);
  const end = text.findLastIndex((byte) => byte > 0x20) + 1;
  const verified = await verifyJson(text.subarray(0, end), {
    kind: "sekisho-revocations",
    issuerKeys,
    longest: LONGEST_REVOCATIONS,
  });
  if (typeof verified === "string") return verified;
  const version = v.safeParse(v.object({ v: v.number() }), verified.value);
  if (version.success && version.output.v > LIST_VERSION) return "newer-version";
  const parsed = v.safeParse(ListSchema, verified.value);
  if (!parsed.success) return "damaged";
  const { v: _version, ...list } = parsed.output;
  return { ...list, issuer: verified.issuer };
}

/** The entry that takes a profile back, or `undefined`. */
export function findRevocation(
  lists: Iterable<RevocationList>,
  name: ProfileName,
): Revocation | undefined {
  for (const { issuer, entries } of lists) {
    if (issuer !== name.issuer) continue;
    for (const entry of entries) {
      const isMeant = "profile" in entry
        ? entry.profile === name.profileId
        : entry.card === name.cardId && name.generation <= entry.upTo;
      if (isMeant) return entry;
    }
  }
  return undefined;
}
