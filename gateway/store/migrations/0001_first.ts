/** Settings, highest generations, the journal. */
export const migration = {
  version: 1,
  sql: `
    CREATE TABLE setting (
      name  TEXT PRIMARY KEY,
      value BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE generation (
      card_id TEXT PRIMARY KEY,
      highest    INTEGER NOT NULL CHECK (highest >= 0)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE journal (
      id     INTEGER PRIMARY KEY,
      at     INTEGER NOT NULL,
      level  TEXT NOT NULL CHECK (level IN ('info', 'warning', 'error')),
      event  TEXT NOT NULL,
      detail TEXT NOT NULL
    ) STRICT;
  `,
};
