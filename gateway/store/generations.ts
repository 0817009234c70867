import type { DatabaseSync } from "node:sqlite";
import type { Generations } from "./api.ts";

/** The highest generation seen of each card: in memory at once, on disk as soon as it takes it. */
export class SqliteGenerations implements Generations {
  readonly #db: DatabaseSync;
  readonly #unwritten = new Map<string, number>();

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  highest(cardId: string): number {
    const row = this.#db.prepare("SELECT highest FROM generation WHERE card_id = ?").get(
      cardId,
    );
    return Math.max(Number(row?.["highest"] ?? 0), this.#unwritten.get(cardId) ?? 0);
  }

  seen(cardId: string, generation: number): void {
    const waiting = this.#unwritten.get(cardId) ?? 0;
    this.#unwritten.set(cardId, Math.max(waiting, generation));
    for (const [id, highest] of this.#unwritten) {
      try {
        this.#db.prepare(
          "INSERT INTO generation (card_id, highest) VALUES (?, ?) " +
            "ON CONFLICT (card_id) DO UPDATE SET highest = max(highest, excluded.highest)",
        ).run(id, highest);
        this.#unwritten.delete(id);
      } catch {
        return; // the disk is full; the next call tries again
      }
    }
  }
}
