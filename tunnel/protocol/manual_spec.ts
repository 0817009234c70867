/**
 * Numbers of sessions under a manual key: our own protocol beside WireGuard's, between two sides
 * that were given the same 32 secret bytes by hand. All of it is written down in
 * docs/decisions/manual-keys.md; hash, HKDF, AEAD and MACs are WireGuard's (whitepaper 5.4).
 *
 * An announcement, A to B, followed at once by transport messages (type 4) under its early key:
 *
 *     0   type 128, three zero bytes
 *     4   sender's index (4): where an answer and a cookie are to go
 *     8   nonce (32): HKDF of 32 random bytes and the timestamp, so it is fresh if either is
 *     40  key id (16), masked by a MAC of the nonce under the receiver's public key
 *     56  timestamp TAI64N (12), sealed (28)
 *     84  MAC1 (16)
 *     100 MAC2 (16)
 *
 * An answer, B to A, if B can and will; with it begins a session in which both have a nonce:
 *
 *     0   type 129, three zero bytes
 *     4   sender's index (4)
 *     8   receiver's index (4)
 *     12  nonce (32)
 *     44  nothing, sealed (16)
 *     60  MAC1 (16)
 *     76  MAC2 (16)
 *
 *     C      = HKDF1(HASH(MANUAL_CONSTRUCTION), manual key)
 *     H      = HASH(public key of A || public key of B)
 *     id, C, hedge = HKDF3(C, H)                      the id is its first 16 bytes
 *     nonce  = HKDF1(hedge, random || timestamp)
 *     H      = HASH(HASH(HASH(H || bytes 0 to 7) || nonce) || masked id)
 *     seal key, early key, C, index = HKDF4(C, H)     the index is its first 4 bytes, little-endian
 *     H      = HASH(H || sealed timestamp)
 *
 *     nonce' = HKDF1(C, random || timestamp of B)
 *     H      = HASH(HASH(H || bytes 0 to 11) || nonce')
 *     seal key, C = HKDF2(C, H)
 *     key of A to B, key of B to A = HKDF2(C, nothing)
 *
 * Stock peers drop both types silently: they know 1 to 4 only.
 */
export const MANUAL_CONSTRUCTION = "Sekisho manual keys 1, ChaChaPoly_BLAKE2s";
export const LABEL_KEY_ID = "key-id--";

export const TYPE_ANNOUNCEMENT = 128;
export const TYPE_ANSWER = 129;

export const ANNOUNCEMENT_LENGTH = 116;
export const ANSWER_LENGTH = 92;
export const KEY_ID_LENGTH = 16;

/**
 * Milliseconds after which the same announcement is sent again, counted from one to the next: as
 * there is no wait for an answer, what follows a lost one is lost. After that a new one is made
 * every REKEY_TIMEOUT, as with handshakes.
 */
export const ANNOUNCEMENT_REPEATS = [250, 1_000] as const;

/**
 * How far behind our clock the first announcement of a peer may be of which nothing is remembered,
 * for its early data to be taken. Older ones may be replays from before a restart.
 */
export const EARLY_CLOCK_SLACK = 300_000;
