/** Bounds of the card session, all in milliseconds; our own choices. */

/** An engine that was told to end, or saw the card go, is killed after this long. */
export const ENGINE_END_MS = 50;
/** From starting an engine to its report on the card. */
export const CARD_REPORT_MS = 20_000;
/** From a PIN, or a word of its engine that it goes on, to its result or the next such word. */
export const UNLOCK_MS = 20_000;
/** From a PIN to its result in all: a password's work takes a busy box many times its second. */
export const UNLOCK_LONGEST_MS = 180_000;
/** PINs that may wait while another one is tried. */
export const PINS_WAITING = 8;
/** From a card's wish to be touched to the result of the PIN: people look for their key first. */
export const TOUCH_MS = 25_000;
/** From a grant to its being in force; a busy box takes seconds. */
export const GRANT_MS = 30_000;
/** How long a reader may still report a card that the engine saw leave. */
export const REMOVAL_LAG_MS = 2_000;
/** Engines that end by themselves more often than CRASHES within this window are held back. */
export const CRASH_WINDOW_MS = 30_000;
export const CRASHES = 3;
export const CRASH_PAUSE_MS = 10_000;
