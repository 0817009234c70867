import type { DatabaseSync } from "node:sqlite";
import { MOST_PASSKEYS } from "../../token/profile/limits.ts";
import { readPasskeyWord } from "../../token/profile/passkeys.ts";
import type { KeptPasskey, Passkeys } from "./api.ts";

const COLUMNS = "SELECT card_id, word, added_at FROM passkey";

/** The passkeys of tokens that were added here. */
export class SqlitePasskeys implements Passkeys {
  readonly #db: DatabaseSync;
  readonly #now: () => number;

  constructor(db: DatabaseSync, now: () => number) {
    this.#db = db;
    this.#now = now;
  }

  of(cardId: string): KeptPasskey[] {
    return this.#db.prepare(`${COLUMNS} WHERE card_id = ? ORDER BY id`).all(cardId).flatMap(kept);
  }

  all(): KeptPasskey[] {
    return this.#db.prepare(`${COLUMNS} ORDER BY card_id, id`).all().flatMap(kept);
  }

  keep(cardId: string, word: string): KeptPasskey {
    const own = readPasskeyWord(word);
    if (own === undefined) throw new Error("Cannot keep the passkey: it is none");
    for (const { word: other } of this.of(cardId)) {
      const nonce = readPasskeyWord(other)?.nonce;
      if (nonce?.some((byte, at) => byte !== own.nonce[at])) this.forget(other);
    }
    if (this.of(cardId).length >= MOST_PASSKEYS) {
      throw new Error(`Cannot keep the passkey: there are ${MOST_PASSKEYS}; remove one first`);
    }
    const addedAt = this.#now();
    this.#db.prepare("INSERT INTO passkey (card_id, word, added_at) VALUES (?, ?, ?)")
      .run(cardId, word, addedAt);
    return { cardId, name: own.name, addedAt, word };
  }

  forget(word: string): boolean {
    return this.#db.prepare("DELETE FROM passkey WHERE word = ?").run(word).changes > 0;
  }
}

/** A row; none where something else than this program wrote it. */
function kept(row: Record<string, unknown>): KeptPasskey[] {
  const word = String(row["word"]);
  const name = readPasskeyWord(word)?.name;
  if (name === undefined) return [];
  return [{ cardId: String(row["card_id"]), name, addedAt: Number(row["added_at"]), word }];
}
