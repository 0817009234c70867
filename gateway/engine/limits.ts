/** Bounds of the engine, our own choices. */

/** Longest message on the pipe, in bytes. */
export const MAX_MESSAGE_BYTES = 256 * 1024;
/** Wrong entries that no card counts, before an engine ends and the next one waits a while. */
export const WRONG_ENTRIES = 5;
/** Where a user id is asked for, no wrong entry is answered sooner, in milliseconds. */
export const WRONG_ENTRY_MS = 1_500;
/** How often an engine tells that it still works on a PIN or password, in milliseconds. */
export const UNLOCK_BEAT_MS = 5_000;
/** Passkeys that don't open the profile, before an engine ends and the next one waits a while. */
export const WRONG_PASSKEYS = 5;
/** One exchange with the card, in milliseconds. */
export const CARD_ANSWER_MS = 5_000;
/** How often the tunnel's counters are told, in milliseconds. */
export const TUNNEL_REPORT_MS = 1_000;
/** Locked memory for profile keys, PIN, file key and a passkey's answer, in bytes. */
export const SECRET_BYTES = 4_096;
/** Locked memory for session keys, in bytes. */
export const SESSION_KEY_BYTES = 4_096;
/** Tunnel MTU when the profile names none: 1,500 less 80 for IPv6, UDP and WireGuard. */
export const DEFAULT_MTU = 1_420;
/** How long a server's name may take to resolve, in milliseconds. */
export const RESOLVE_MS = 5_000;
