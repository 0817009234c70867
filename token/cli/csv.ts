/**
 * Comma-separated values (RFC 4180), bounded: text in, rows with the line on which each begins out.
 * @core
 */

/** A record and the line, from 1, on which it begins. */
export interface CsvRow {
  readonly line: number;
  readonly values: readonly string[];
}

/** What {@linkcode parseCsv} found. */
export type CsvParsed =
  | { readonly ok: true; readonly rows: readonly CsvRow[] }
  | { readonly ok: false; readonly line: number; readonly problem: string };

/** Bounds of a file. */
export const CSV_LIMITS = { bytes: 1024 * 1024, rows: 2000, columns: 32, value: 4096 } as const;

/** Reads every record; empty lines are left out. */
export function parseCsv(text: string): CsvParsed {
  const rows: CsvRow[] = [];
  const fail = (line: number, problem: string): CsvParsed => ({ ok: false, line, problem });
  if (text.length > CSV_LIMITS.bytes) return fail(1, "the file is too large");
  let at = text.startsWith("\ufeff") ? 1 : 0;
  let line = 1;
  while (at < text.length) {
    const begin = line;
    const values: string[] = [];
    for (;;) {
      const field = readField(text, at);
      if (typeof field === "string") return fail(line, field);
      if (field.value.length > CSV_LIMITS.value) return fail(line, "a value is too long");
      values.push(field.value);
      line += field.lines;
      at = field.end;
      if (values.length > CSV_LIMITS.columns) return fail(begin, "too many columns");
      if (text[at] !== ",") break;
      at++;
    }
    if (text[at] === "\r" && text[at + 1] === "\n") at++;
    if (at < text.length && text[at] !== "\n") return fail(line, "expected a comma or a line end");
    at++;
    line++;
    if (values.length === 1 && values[0]?.trim() === "") continue;
    rows.push({ line: begin, values });
    if (rows.length > CSV_LIMITS.rows + 1) return fail(begin, `more than ${CSV_LIMITS.rows} rows`);
  }
  return { ok: true, rows };
}

function readField(
  text: string,
  at: number,
): { value: string; end: number; lines: number } | string {
  if (text[at] !== '"') {
    let end = at;
    while (end < text.length && !",\n".includes(text[end] ?? "")) {
      if (text[end] === '"') return "a quote inside a value that is not quoted";
      end++;
    }
    const isCut = text[end] === "\n" && text[end - 1] === "\r" && end > at;
    const stop = isCut ? end - 1 : end;
    return { value: text.slice(at, stop), end: stop, lines: 0 };
  }
  let value = "";
  let lines = 0;
  for (let from = at + 1;;) {
    const quote = text.indexOf('"', from);
    if (quote < 0) return "a quote is not closed";
    const part = text.slice(from, quote);
    lines += part.split("\n").length - 1;
    value += part;
    if (text[quote + 1] !== '"') return { value, end: quote + 1, lines };
    value += '"';
    from = quote + 2;
  }
}
