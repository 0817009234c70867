/** What this folder says about readers, and the errors of the service behind it (pcscd). */
import type { CardChannel } from "../apdu/channel.ts";

/** One reader at one moment. */
export interface ReaderState {
  readonly name: string;
  /** "mute": something is in the reader that gives no answer to reset. */
  readonly card: "absent" | "present" | "mute";
  /** The card's answer to reset, at most 33 bytes; empty without a card. */
  readonly atr: Uint8Array;
  /**
   * pcscd's count of insertions and removals in this reader (16 bits, wraps): another count means
   * that the card was pulled in between, even when one is there again.
   */
  readonly events: number;
  /** Somebody holds the card exclusively. */
  readonly exclusive: boolean;
}

/** A watch on all readers. */
export interface ReaderMonitor {
  /** Ends the watch; resolves when pcscd's context is given back. */
  stop(): Promise<void>;
}

/** What `startReaderMonitor` tells. Both are called on the caller's thread, never after `stop`. */
export interface ReaderMonitorListener {
  /** Every reader now there; called at once with the first look and then at every change. */
  onChange(readers: readonly ReaderState[]): void;
  /** Called once whenever the service is lost (`onChange([])` follows); it is retried for ever. */
  onError(error: PcscError): void;
}

/** What happens to the card when a session ends. */
export type Disposition = "reset" | "unpower" | "leave";

/**
 * One card held exclusively. After any {@linkcode CardGoneError} or {@linkcode CardSilentError} the
 * session is dead and only `close` makes sense.
 */
export interface CardSession extends CardChannel {
  readonly reader: string;
  readonly atr: Uint8Array;
  /** The count of {@linkcode ReaderState.events} that this card belongs to. */
  readonly events: number;
  /** Resolves as soon as pcscd reports that the card, its reader or pcscd itself is gone. */
  readonly removed: Promise<void>;
  /** Warm reset: every PIN state and selection on the card is gone. Keeps the session. */
  reset(): Promise<void>;
  /** Gives the card back. Never rejects, never waits longer than the session's bound. */
  close(disposition?: Disposition): Promise<void>;
}

/** Options of `openCard`. */
export interface OpenCardOptions {
  /** Bound on every exchange in milliseconds, default 5,000. */
  readonly timeoutMs?: number;
  /** Open only the card of this count ({@linkcode ReaderState.events}), else the fault "removed". */
  readonly events?: number;
}

/** Why the service could not do what it was asked. */
export type PcscFault =
  | "no-service"
  | "no-reader"
  | "no-card"
  | "mute-card"
  | "sharing"
  | "removed"
  | "reset"
  | "timeout"
  | "failed";

/** A refusal of pcscd or of its library. */
export class PcscError extends Error {
  override readonly name = "PcscError";
  readonly fault: PcscFault;
  /** The library's return code (pcsclite.h), 0 when it was not asked. */
  readonly code: number;

  constructor(message: string, options: { fault: PcscFault; code: number; cause?: unknown }) {
    super(message, { cause: options.cause });
    this.fault = options.fault;
    this.code = options.code;
  }
}
