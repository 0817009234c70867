import assert from "node:assert/strict";
import fc from "fast-check";
import { parseCsv } from "./csv.ts";

const rows = (text: string) => {
  const parsed = parseCsv(text);
  assert.ok(parsed.ok, JSON.stringify(parsed));
  return parsed.rows;
};

Deno.test("csv: quotes, line ends, empty lines, and the line of each row", () => {
  assert.deepEqual(rows('\ufeffa,b\r\n"x, ""y""",\n\n"two\r\nlines",z'), [
    { line: 1, values: ["a", "b"] },
    { line: 2, values: ['x, "y"', ""] },
    { line: 4, values: ["two\r\nlines", "z"] },
  ]);
  assert.deepEqual(rows("a\n").length, 1);
  assert.deepEqual(rows(""), []);
});

Deno.test("csv: what is wrong is named with its line", () => {
  const problem = (text: string) => {
    const parsed = parseCsv(text);
    return parsed.ok ? "" : `${parsed.line}: ${parsed.problem}`;
  };
  assert.equal(problem('a\n"open\n\n'), "2: a quote is not closed");
  assert.equal(problem('a\nb"c'), "2: a quote inside a value that is not quoted");
  assert.equal(problem('a\n"b"c'), "2: expected a comma or a line end");
});

Deno.test("csv: whatever values there are, they come back", () => {
  const value = fc.string({ maxLength: 20 }).map((text) => text.replaceAll("\r", ""));
  fc.assert(fc.property(fc.array(fc.array(value, { minLength: 2, maxLength: 4 })), (table) => {
    const quoted = table.map((row) =>
      row.map((one) => `"${one.replaceAll('"', '""')}"`).join(",") + "\r\n"
    );
    assert.deepEqual(rows(quoted.join("")).map(({ values }) => values), table);
  }));
});
