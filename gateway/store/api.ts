/** What the gateway keeps across restarts. No holder's secret is ever in it. */
import type { JournalEntry, JournalLevel } from "../view.ts";

export interface Journal {
  /**
   * Writes one event. Never throws: what the disk doesn't take stays in memory, is written later,
   * and `warning` says so.
   */
  record(level: JournalLevel, event: string, detail: JournalEntry["detail"]): JournalEntry;
  /** Newest first; `before` an id to page on, at most 200 entries. */
  read(query: { before?: number; limit?: number }): JournalEntry[];
  /** What is wrong with the journal now, in English; undefined when all is well. */
  readonly warning: string | undefined;
}

export interface Settings {
  /** Key for signing session cookies, 32 bytes, made at the first call; a box secret. */
  cookieKey(): Uint8Array;
  hasAdminPassword(): boolean;
  /** Stores a salted scrypt hash. */
  setAdminPassword(password: string): Promise<void>;
  checkAdminPassword(password: string): Promise<boolean>;
}

export interface Generations {
  /** The highest generation seen of this card's profiles, 0 for none. */
  highest(cardId: string): number;
  /** Remembers a generation; never lowers it. Never throws: what the disk doesn't take is kept in memory and tried again. */
  seen(cardId: string, generation: number): void;
}

/** A passkey that opens a token's profile at this gateway; nothing in it is secret. */
export interface KeptPasskey {
  /** The token's id, as its profile's head has it. */
  readonly cardId: string;
  readonly name: string;
  /** Unix milliseconds. */
  readonly addedAt: number;
  /** "passkey1…": the wrapped key, as `token passkey add` takes it. */
  readonly word: string;
}

export interface Passkeys {
  /** In the order in which they were added. */
  of(cardId: string): KeptPasskey[];
  all(): KeptPasskey[];
  /**
   * Keeps one; those of the card's earlier issues go.
   * @throws {Error} when the word is none, there are too many, or the disk does not take it.
   */
  keep(cardId: string, word: string): KeptPasskey;
  /** False when there is none. */
  forget(word: string): boolean;
}

export interface Store {
  readonly journal: Journal;
  readonly settings: Settings;
  readonly generations: Generations;
  readonly passkeys: Passkeys;
  close(): void;
}
