/** A gateway's journal, for the message of a test that fails. */
import { DatabaseSync } from "node:sqlite";

/** Its last events, one a line; `state` is the gateway's state folder. */
export function lastEvents(state: string): string {
  try {
    using database = new DatabaseSync(`${state}/gateway.db`, { readOnly: true });
    return database.prepare("SELECT at, event, detail FROM journal ORDER BY id DESC LIMIT 12")
      .all()
      .map(({ at, event, detail }) => `${at} ${event} ${detail}`).reverse().join("\n");
  } catch (error) {
    return `(no journal: ${error instanceof Error ? error.message : error})`;
  }
}
