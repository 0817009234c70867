/** Passkeys that open tokens' profiles at this gateway. */
export const migration = {
  version: 2,
  sql: `
    CREATE TABLE passkey (
      id       INTEGER PRIMARY KEY,
      card_id  TEXT NOT NULL,
      word     TEXT NOT NULL UNIQUE,
      added_at INTEGER NOT NULL
    ) STRICT;

    CREATE INDEX passkey_of_card ON passkey (card_id);
  `,
};
