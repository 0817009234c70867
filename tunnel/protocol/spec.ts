/** Numbers of the WireGuard protocol (whitepaper, sections 5 and 6). Times in milliseconds. */

export const CONSTRUCTION = "Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s";
export const IDENTIFIER = "WireGuard v1 zx2c4 Jason@zx2c4.com";
export const LABEL_MAC1 = "mac1----";
export const LABEL_COOKIE = "cookie--";

/** Section 5.4: message types; three reserved zero bytes follow each. */
export const TYPE_INITIATION = 1;
export const TYPE_RESPONSE = 2;
export const TYPE_COOKIE_REPLY = 3;
export const TYPE_TRANSPORT = 4;

export const INITIATION_LENGTH = 148;
export const RESPONSE_LENGTH = 92;
export const COOKIE_REPLY_LENGTH = 64;
export const TRANSPORT_HEADER_LENGTH = 16;
export const TAG_LENGTH = 16;
export const KEY_LENGTH = 32;
export const MAC_LENGTH = 16;
export const TIMESTAMP_LENGTH = 12;

/** Section 6.1. */
export const REKEY_AFTER_TIME = 120_000;
export const REJECT_AFTER_TIME = 180_000;
export const REKEY_ATTEMPT_TIME = 90_000;
export const REKEY_TIMEOUT = 5_000;
export const KEEPALIVE_TIMEOUT = 10_000;
export const COOKIE_LIFETIME = 120_000;

/**
 * REKEY_AFTER_MESSAGES is 2^60 and REJECT_AFTER_MESSAGES 2^64 - 2^13 - 1. Counters here are
 * JavaScript numbers, so both limits are lower: no session reaches either in 180 seconds.
 */
export const REKEY_AFTER_MESSAGES = 2 ** 52;
export const REJECT_AFTER_MESSAGES = 2 ** 53 - 2 ** 13 - 1;

/** Section 5.4.6: plaintext is padded to a multiple of this. */
export const PADDING_MULTIPLE = 16;
