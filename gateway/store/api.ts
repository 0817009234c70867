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

export interface Store {
  readonly journal: Journal;
  readonly settings: Settings;
  readonly generations: Generations;
  close(): void;
}
