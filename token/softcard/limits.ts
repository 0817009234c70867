/** Tries of a new PIN, PUK or password. */
export const DEFAULT_TRIES = 3;
