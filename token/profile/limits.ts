/** Sizes that this project chose. */

/** Largest chunk: stock cards and tools take this much in one object. */
export const CHUNK_BYTES = 3000;

/** Most chunks of one profile. */
export const MOST_CHUNKS = 8;

/** Largest sealed container. */
export const LARGEST_CONTAINER = CHUNK_BYTES * MOST_CHUNKS;

/** Longest signed head. */
export const LONGEST_HEAD = 2048;
