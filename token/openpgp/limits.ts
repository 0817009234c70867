/** Sizes of wrapped keys, our own choice. */

/** Keys that are wrapped have 16 (a file key) to 64 bytes. */
export const WRAPPED_KEY = { shortest: 16, longest: 64 } as const;

/** What stands around a wrapped key: word, version, ephemeral point; and the tag after it. */
export const WRAPPING = { head: 4 + 1 + 32, tag: 16 } as const;

/** The largest wrapped key: every card of version 3 takes so much in a private object. */
export const LARGEST_WRAPPED: number = WRAPPING.head + WRAPPED_KEY.longest + WRAPPING.tag;
