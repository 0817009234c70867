/** Status words: ISO 7816-4:2020 section 5.6 and SP 800-73-4 part 2, table 6. */
export const SW = {
  OK: 0x9000,
  /** 61xx: xx more bytes wait for GET RESPONSE (00 means 256 or more). */
  MORE_DATA: 0x6100,
  /** 6300: verification failed, and nothing is said of tries. */
  WRONG: 0x6300,
  /** 63Cx: verification failed, x tries left. */
  TRIES_LEFT: 0x63c0,
  MEMORY_FAILURE: 0x6581,
  WRONG_LENGTH: 0x6700,
  LAST_COMMAND_EXPECTED: 0x6883,
  CHAINING_NOT_SUPPORTED: 0x6884,
  SECURITY_STATUS_NOT_SATISFIED: 0x6982,
  AUTH_METHOD_BLOCKED: 0x6983,
  CONDITIONS_NOT_SATISFIED: 0x6985,
  COMMAND_NOT_ALLOWED: 0x6986,
  INCORRECT_DATA: 0x6a80,
  FUNCTION_NOT_SUPPORTED: 0x6a81,
  FILE_NOT_FOUND: 0x6a82,
  NOT_ENOUGH_MEMORY: 0x6a84,
  INCORRECT_P1P2: 0x6a86,
  REFERENCE_NOT_FOUND: 0x6a88,
  /** 6Cxx: wrong Le, xx is right. */
  WRONG_LE: 0x6c00,
  INS_NOT_SUPPORTED: 0x6d00,
  CLA_NOT_SUPPORTED: 0x6e00,
  NO_PRECISE_DIAGNOSIS: 0x6f00,
} as const;

/** Tries left when the word is 63Cx, else `undefined`. */
export function triesLeft(sw: number): number | undefined {
  return (sw & 0xfff0) === SW.TRIES_LEFT ? sw & 0x0f : undefined;
}

/** A status word as four hexadecimal digits, for messages. */
export function formatStatus(sw: number): string {
  return sw.toString(16).toUpperCase().padStart(4, "0");
}
