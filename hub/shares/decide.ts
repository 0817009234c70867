/**
 * To whom a share is given: what the hub keeps, a request and the time in; the share, or why not,
 * out. Who doesn't prove to be the card learns only that. @core
 */
import type { ShareAnswer } from "../../token/profile/share_protocol.ts";
import type { ShareRecord } from "../../token/profile/share_record.ts";

/** All that the hub keeps: records by id in hexadecimal, and the newest generation of each profile. */
export interface ShareShelf {
  readonly records: ReadonlyMap<string, ShareRecord>;
  readonly newest: ReadonlyMap<string, number>;
}

/** What is asked. */
export interface ShareQuestion {
  readonly id: Uint8Array;
  isProvenBy(proofKey: Uint8Array): boolean;
}

/** Decides. `now` is in Unix seconds. */
export function decide(
  shelf: ShareShelf,
  question: ShareQuestion,
  { now, isRevoked }: { now: number; isRevoked: (record: ShareRecord) => boolean },
): { readonly answer: ShareAnswer; readonly record: ShareRecord | undefined } {
  const record = shelf.records.get(question.id.toHex());
  if (record === undefined) return { answer: { granted: false, why: "unknown" }, record };
  const refuse = (why: Extract<ShareAnswer, { granted: false }>["why"]) => {
    return { answer: { granted: false, why } as const, record };
  };
  if (!question.isProvenBy(record.proofKey)) return refuse("not-proven");
  if (isRevoked(record)) return refuse("revoked");
  if (record.generation < (shelf.newest.get(record.profileId) ?? 0)) return refuse("replaced");
  if (now >= record.expiresAt) return refuse("expired");
  return { answer: { granted: true, share: record.share }, record };
}

/** Puts records on a shelf. Two of one id are one sealing: the later in the list counts. */
export function shelfOf(records: readonly ShareRecord[]): ShareShelf {
  const newest = new Map<string, number>();
  for (const { profileId, generation } of records) {
    newest.set(profileId, Math.max(generation, newest.get(profileId) ?? 0));
  }
  return { records: new Map(records.map((record) => [record.id.toHex(), record])), newest };
}
