/** The journal: in the database when the disk takes it, in memory until then. */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { JournalEntry, JournalLevel } from "../view.ts";
import type { Journal } from "./api.ts";

export interface JournalOptions {
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Entries kept on disk; the oldest go first (default 100,000). */
  readonly maxEntries?: number;
  /** Entries kept in memory while the disk takes none; the oldest go first (default 1,000). */
  readonly maxPending?: number;
}

const MAX_READ = 200;
/** How many entries more than allowed may gather before the oldest are removed. */
const PRUNE_EVERY = 256;

export class SqliteJournal implements Journal {
  readonly #options: Required<JournalOptions>;
  readonly #db: DatabaseSync;
  readonly #insert: StatementSync;
  readonly #page: StatementSync;
  readonly #prune: StatementSync;
  /** Oldest first: what the disk didn't take yet. */
  #pending: JournalEntry[] = [];
  #lost = 0;
  #nextId: number;
  #sincePruned = 0;
  #warning: string | undefined;

  constructor(db: DatabaseSync, options: JournalOptions) {
    this.#options = { maxEntries: 100_000, maxPending: 1_000, ...options };
    this.#db = db;
    this.#insert = db.prepare(
      "INSERT INTO journal (id, at, level, event, detail) VALUES (?, ?, ?, ?, ?)",
    );
    this.#page = db.prepare(
      "SELECT id, at, level, event, detail FROM journal WHERE id < ? ORDER BY id DESC LIMIT ?",
    );
    this.#prune = db.prepare("DELETE FROM journal WHERE id <= ?");
    const last = db.prepare("SELECT coalesce(max(id), 0) AS id FROM journal").get();
    this.#nextId = Number(last?.["id"] ?? 0) + 1;
  }

  get warning(): string | undefined {
    return this.#warning;
  }

  record(level: JournalLevel, event: string, detail: JournalEntry["detail"]): JournalEntry {
    const entry = this.#entry(level, event, detail);
    const waiting = this.#pending.length;
    this.#pending.push(entry);
    try {
      this.#write();
    } catch (error) {
      this.#keep(error);
      return entry;
    }
    if (waiting > 0) this.#sayRecovered(waiting);
    return entry;
  }

  read({ before = Number.MAX_SAFE_INTEGER, limit = MAX_READ }: {
    before?: number;
    limit?: number;
  }): JournalEntry[] {
    const most = Math.min(Math.max(1, Math.trunc(limit)), MAX_READ);
    const pending = this.#pending.filter(({ id }) => id < before).toReversed().slice(0, most);
    const oldest = pending.at(-1)?.id ?? before;
    return [...pending, ...this.#stored(oldest, most - pending.length)];
  }

  #entry(level: JournalLevel, event: string, detail: JournalEntry["detail"]): JournalEntry {
    return { id: this.#nextId++, at: this.#options.now(), level, event, detail };
  }

  /** All that is pending, or nothing. */
  #write(): void {
    this.#db.exec("BEGIN IMMEDIATE");
    try {
      for (const { id, at, level, event, detail } of this.#pending) {
        this.#insert.run(id, at, level, event, JSON.stringify(detail));
      }
      this.#sincePruned += this.#pending.length;
      if (this.#sincePruned >= PRUNE_EVERY) {
        this.#prune.run(this.#nextId - 1 - this.#options.maxEntries);
        this.#sincePruned = 0;
      }
      this.#db.exec("COMMIT");
    } catch (error) {
      // A full disk may have rolled back already.
      if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
      throw error;
    }
    this.#pending = [];
  }

  #keep(error: unknown): void {
    while (this.#pending.length > this.#options.maxPending) {
      this.#pending.shift();
      this.#lost++;
    }
    const why = error instanceof Error ? error.message : String(error);
    this.#warning = `The journal can't be written (${why}): ` +
      `${this.#pending.length} entries wait in memory` +
      (this.#lost > 0 ? `, ${this.#lost} are lost` : "") + "; free space on the disk";
  }

  #sayRecovered(kept: number): void {
    const lost = this.#lost;
    this.#lost = 0;
    this.#warning = undefined;
    this.record("warning", "journal-recovered", { kept, lost });
  }

  /** Reading may fail too, on a disk in trouble; the journal then shows what memory has. */
  #stored(before: number, limit: number): JournalEntry[] {
    if (limit <= 0) return [];
    try {
      return this.#page.all(before, limit).map((row) => ({
        id: Number(row["id"]),
        at: Number(row["at"]),
        level: String(row["level"]) as JournalLevel, // the table checks it
        event: String(row["event"]),
        detail: JSON.parse(String(row["detail"])),
      }));
    } catch (error) {
      this.#warning = `The journal can't be read (${
        error instanceof Error ? error.message : error
      })`;
      return [];
    }
  }
}
