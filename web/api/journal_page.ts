/** Pages of the journal by level. @core */
import * as v from "valibot";
import type { GatewayView, JournalEntry, JournalLevel } from "../../gateway/view.ts";

/** A page of the journal, newest first; `next` is the `before` of the page after it, if any. */
export interface JournalPage {
  readonly entries: readonly JournalEntry[];
  readonly next?: number;
}

const LEVELS = ["info", "warning", "error"] as const satisfies readonly JournalLevel[];
const count = (max: number) =>
  v.pipe(v.string(), v.regex(/^\d{1,15}$/), v.transform(Number), v.minValue(1), v.maxValue(max));

/** The query string: entries before this id, how many, and of which level at least. */
export const journalQuerySchema = v.object({
  before: v.optional(count(Number.MAX_SAFE_INTEGER)),
  limit: v.optional(count(200), "50"),
  level: v.optional(v.picklist(LEVELS), "info"),
});
export type JournalQuery = v.InferOutput<typeof journalQuerySchema>;

/** Entries looked through for one page; a rare level may need more than one page to be found. */
const MAX_SCANNED = 2000;
const BATCH = 200;

export function journalPage(view: GatewayView, query: JournalQuery): JournalPage {
  const entries: JournalEntry[] = [];
  const least = LEVELS.indexOf(query.level);
  let before = query.before;
  for (let scanned = 0; scanned < MAX_SCANNED;) {
    const batch = view.journal({ ...(before !== undefined && { before }), limit: BATCH });
    for (const entry of batch) {
      if (entries.length === query.limit) return { entries, ...(before && { next: before }) };
      before = entry.id;
      if (LEVELS.indexOf(entry.level) >= least) entries.push(entry);
    }
    if (batch.length < BATCH) return { entries };
    scanned += batch.length;
  }
  return { entries, ...(before && { next: before }) };
}
