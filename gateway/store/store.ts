/** The gateway's store: one SQLite database in the state folder. */
import { DatabaseSync } from "node:sqlite";
import type { Store } from "./api.ts";
import { SqliteGenerations } from "./generations.ts";
import { type JournalOptions, SqliteJournal } from "./journal.ts";
import { migrate } from "./migrate.ts";
import { SqlitePasskeys } from "./passkeys.ts";
import { SqliteSettings } from "./settings.ts";

const FILE = "gateway.db";
/** Milliseconds that a write waits for another process (a backup, a look by hand). */
const BUSY_MS = 2_000;

/**
 * Opens, makes or migrates `gateway.db` in the state folder; only this user can read it.
 * @throws {Error} when the folder can't be used, or the database is damaged or of a newer program.
 */
export function openStore(state: string, options: Partial<JournalOptions> = {}): Store {
  Deno.mkdirSync(state, { recursive: true, mode: 0o755 });
  const path = `${state}/${FILE}`;
  const db = open(path);
  return {
    journal: new SqliteJournal(db, { now: Date.now, ...options }),
    settings: new SqliteSettings(db),
    generations: new SqliteGenerations(db),
    passkeys: new SqlitePasskeys(db, options.now ?? Date.now),
    close: () => db.close(),
  };
}

function open(path: string): DatabaseSync {
  let db: DatabaseSync | undefined;
  try {
    // SQLite gives its -wal and -shm files the mode of the database.
    Deno.openSync(path, { create: true, write: true, mode: 0o600 }).close();
    db = new DatabaseSync(path);
    db.exec(`
      PRAGMA busy_timeout = ${BUSY_MS};
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = NORMAL;
      PRAGMA foreign_keys = ON;
      PRAGMA journal_size_limit = 4194304;
    `);
    migrate(db);
    return db;
  } catch (error) {
    db?.close();
    const why = error instanceof Error ? error.message : String(error);
    if (why.startsWith("Cannot ")) throw error;
    throw new Error(
      `Cannot open the store ${path}: ${why}; check space and rights there, or restore a backup`,
    );
  }
}
