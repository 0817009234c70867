/** Sizes that this project chose. Whatever is larger is refused before any work is done on it. */

/** Largest chunk: stock cards and tools take this much in one object. */
export const CHUNK_BYTES = 3000;

/** Most chunks of one profile. */
export const MOST_CHUNKS = 8;

/** Largest sealed container. */
export const LARGEST_CONTAINER = CHUNK_BYTES * MOST_CHUNKS;

/** Longest signed head. */
export const LONGEST_HEAD = 2048;

/** Longest header of a container: what `MOST_RECIPIENTS` and `MOST_PASSKEYS` need. */
export const LONGEST_HEADER = 6144;

/** Most recipients of one profile. */
export const MOST_RECIPIENTS = 16;

/** Most passkeys of one profile. */
export const MOST_PASSKEYS = 8;

/** Most stanzas that are looked at: recipients, passkeys and their names, and age's own grease. */
export const MOST_STANZAS = MOST_RECIPIENTS + 2 * MOST_PASSKEYS + 4;

/** scrypt's work factor (log2 N): twice what the stock tool writes; more is there to fill the memory. */
export const HIGHEST_WORK_FACTOR = 19;

/** Longest protected header of signed JSON, encoded. It is read before the signature is known. */
export const LONGEST_JWS_HEADER = 512;

/** Deepest nesting of signed JSON. */
export const DEEPEST_JSON = 16;

/** Longest signed list of revocations. */
export const LONGEST_REVOCATIONS = 1024 * 1024;

/** Most entries of such a list. */
export const MOST_REVOCATIONS = 8192;

/** Longest signed record of a hub's share. */
export const LONGEST_SHARE_RECORD = 2048;

/** Most other cards that open one profile. */
export const MOST_OTHER_CARDS = 4;
