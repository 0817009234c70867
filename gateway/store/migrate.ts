/** Brings a database to this program's version, one numbered step after another, each in one transaction. */
import type { DatabaseSync } from "node:sqlite";
import { migration as first } from "./migrations/0001_first.ts";
import { migration as passkeys } from "./migrations/0002_passkeys.ts";

export interface Migration {
  /** 1, 2, 3… without gaps; kept by SQLite as `user_version`. */
  readonly version: number;
  readonly sql: string;
}

export const MIGRATIONS: readonly Migration[] = [first, passkeys];

/**
 * @throws {Error} when the database comes from a newer program, or a step fails (and is undone).
 */
export function migrate(db: DatabaseSync, migrations: readonly Migration[] = MIGRATIONS): void {
  const newest = migrations.at(-1)?.version ?? 0;
  const found = versionOf(db);
  if (found > newest) {
    throw new Error(
      `Cannot open the store: it has version ${found} and this program knows ${newest}; ` +
        `run the program that wrote it, or a newer one`,
    );
  }
  for (const { version, sql } of migrations) {
    if (version <= found) continue;
    db.exec("BEGIN IMMEDIATE");
    try {
      // Another process may have done this step while this one waited for the lock.
      if (versionOf(db) < version) db.exec(`${sql}; PRAGMA user_version = ${version}`);
      db.exec("COMMIT");
    } catch (error) {
      if (db.isTransaction) db.exec("ROLLBACK");
      throw error;
    }
  }
}

export function versionOf(db: DatabaseSync): number {
  return Number(db.prepare("PRAGMA user_version").get()?.["user_version"]);
}
