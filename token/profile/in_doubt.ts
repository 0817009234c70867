/**
 * What is known of a token that a new profile was written to. A head makes a profile count: before
 * it is written the former one does; while it is written nobody can tell.
 */

/** The profile is there whole; "untidied": the token went before its former one was taken away. */
export type Written = "whole" | "untidied";

/** The token went while the head was written: only the token itself can tell which profile counts. */
export class WriteInDoubtError extends Error {
  override readonly name = "WriteInDoubtError";

  constructor(cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

/** The token gives back other bytes than were written. */
export class TokenKeepsOthersError extends Error {
  override readonly name = "TokenKeepsOthersError";
}
