/** What the journal hears of the shared card: who had it, which instructions ran, never their bodies. */
import type { FromEngine } from "../engine/messages.ts";
import type { JournalLevel } from "../view.ts";

/** A terminal that is refused again and again is told of once in so long, with the count. */
const REFUSAL_PAUSE_MS = 60_000;
const MOST_REFUSED = 256;

/** Writes an entry. */
export type WriteEntry = (
  level: JournalLevel,
  event: string,
  detail: Record<string, string | number>,
) => void;

export class ShareJournal {
  readonly #record: WriteEntry;
  readonly #refusals = new Map<string, { count: number; at: number }>();

  constructor(record: WriteEntry) {
    this.#record = record;
  }

  ended(message: Extract<FromEngine, { type: "lease-ended" }>): void {
    const { terminal, way, reason, heldMs, wrongPins } = message;
    const refused = list(message.refused);
    const level = wrongPins > 0 || reason === "revoked" ? "warning" : "info";
    this.#record(level, "lease-ended", {
      ...{ terminal: terminal.label, id: terminal.key, way, reason, heldMs },
      commands: list(message.commands),
      ...(refused === "" ? {} : { refused }),
      ...(wrongPins === 0 ? {} : { wrongPins }),
    });
  }

  refused(address: string, why: string): void {
    const now = Date.now();
    const key = `${address} ${why}`;
    const last = this.#refusals.get(key);
    if (last !== undefined && now - last.at < REFUSAL_PAUSE_MS) return void last.count++;
    if (this.#refusals.size > MOST_REFUSED) this.#refusals.clear();
    this.#refusals.set(key, { count: 0, at: now });
    const before = last === undefined || last.count === 0 ? {} : { before: last.count };
    this.#record("warning", "reader-refused", { terminal: address, why, ...before });
  }

  uncertified(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    this.#record("error", "share-uncertified", { reason: reason.slice(0, 200) });
  }
}

function list(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts).map(([name, count]) => `${name} ${count}`).join(", ").slice(0, 512);
}
