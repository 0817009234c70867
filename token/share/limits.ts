/** Bounds of sharing one card, our own choices. Times in milliseconds. */

/**
 * No lease that is granted over a fresh session lasts beyond this age of the session: a peer's
 * own renewal begins at 120 s (whitepaper section 6.1), and the card must be back by then.
 */
export const SESSION_LENT_UNTIL = 115_000;
/**
 * Where no fresh session could be had, the card is back at this age: the old session carries for
 * 180 s, which leaves time to renew it.
 */
export const SESSION_LAST_MOMENT = 150_000;
/** How long a handshake may take, its first repetition included, before a lease is granted without it. */
export const REKEY_WAIT = 8_000;
/** Shortest lease that is worth granting while the session can't be renewed. */
export const SHORTEST_LEASE = 10_000;
/** After so many waits without any session there is no tunnel to lose: short leases go between. */
export const OUTAGE_WAITS = 3;
/** And last so long. */
export const OUTAGE_LEASE = 15_000;

/** Longest hard limit that a policy may set: rekeying for a lease comes out of it. */
export const LONGEST_HARD_LIMIT = 110_000;
/** Requests of one terminal that may wait. */
export const WAITING_OF_ONE = 32;
/** And of all. */
export const WAITING_OF_ALL = 1_024;
/** How long a request waits at most. */
export const LONGEST_WAIT = 600_000;
