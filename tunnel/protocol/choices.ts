/** Our own limits, where the whitepaper leaves the choice. Times in milliseconds. */

/** Added to retransmission and to the new-handshake timer, so that two peers don't collide for ever. */
export const MAX_JITTER = 334;
/** Retransmissions before giving up: REKEY_ATTEMPT_TIME / REKEY_TIMEOUT. */
export const MAX_ATTEMPTS = 18;
/** Packets kept for a peer while a handshake is under way; the oldest goes first. */
export const MAX_QUEUED_PACKETS = 128;
/** Sequence numbers behind the newest that are still taken (RFC 6479 as stock WireGuard has it: 8,192 bits). */
export const REPLAY_WINDOW = 8192;
/** At most one initiation of a peer is consumed in this time. */
export const INITIATION_SPACING = 20;
/** Handshake messages in a second from which on the device is "under load" and asks for cookies. */
export const LOAD_HANDSHAKES_PER_SECOND = 400;
/** How long it stays so after the last excess. */
export const LOAD_LINGER = 1_000;
/** Under load, handshakes taken from one source address: so many a second, and in one burst. */
export const SOURCE_RATE = 20;
export const SOURCE_BURST = 5;
/** Source addresses remembered by the rate limiter; beyond it new ones are refused. */
export const SOURCE_TABLE = 8192;
/** Handshakes that may wait for the identity's Diffie-Hellman. */
export const MAX_IDENTITY_WAITING = 16;
/** A Diffie-Hellman that isn't answered in this time has failed. */
export const IDENTITY_TIMEOUT = 5_000;
/** Timestamps are rounded down to 2^24 ns, so that they don't tell the exact time. */
export const TIMESTAMP_WHITENING = 0x1000000;
