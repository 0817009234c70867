/**
 * What lies where in the hidden part; all of it our choice.
 *
 *     0        head: signed, readable without a password
 *     32 KiB   the key: an age identity, sealed by the password
 *     64 KiB   the profile: an age file for that identity
 *     128 KiB  the program: an age file for that identity
 *     31 MiB   the spare: head, key and profile again, as they lie at the beginning
 *
 * A stick that was never renewed has no spare. A renewal writes the copy that is not in use first, so
 * that one of them is whole at any moment; they lie far apart, since a stick that loses power may
 * lose what lies around the place that it was writing.
 */

/** Where each area begins, in bytes. */
export const AREA = { head: 0, key: 32 << 10, profile: 64 << 10, program: 128 << 10 } as const;

/** Size of the hidden part. */
export const HIDDEN_BYTES = 32 << 20;

/** Where the two copies of head, key and profile begin. */
export const COPIES = [0, 31 << 20] as const;

/** Longest head with its frame. */
export const LONGEST_STICK_HEAD = 16 << 10;

/** Largest program, sealed. */
export const LARGEST_PROGRAM = COPIES[1] - AREA.program;

/** Partitions begin at multiples of this many sectors (1 MiB), as all tools have them. */
export const ALIGNMENT = 2048;

/** Names of the partitions, for people with partition tools. */
export const VISIBLE_NAME = "Sekisho";
export const HIDDEN_NAME = "Sekisho hidden";
