import assert from "node:assert/strict";
import fc from "fast-check";
import { LineTooLongError, LineWriter, readLines } from "./lines.ts";

Deno.test("lines survive any cutting into chunks", async () => {
  const line = fc.string({ unit: "grapheme", maxLength: 30 }).filter((text) => !/\n/.test(text));
  await fc.assert(
    fc.asyncProperty(fc.array(line), fc.integer({ min: 1, max: 9 }), async (lines, size) => {
      const bytes = new TextEncoder().encode(lines.map((text) => `${text}\n`).join(""));
      const chunks: Uint8Array[] = [];
      for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size));
      assert.deepEqual(await all(chunks, 1000), lines);
    }),
  );
});

Deno.test("a line over the bound ends the reading, whether its end has come or not", async () => {
  const bytes = (text: string) => new TextEncoder().encode(text);
  assert.deepEqual(await all([bytes("12345\n")], 5), ["12345"]);
  await assert.rejects(all([bytes("123456\n")], 5), LineTooLongError);
  await assert.rejects(all([bytes("1234"), bytes("56")], 5), LineTooLongError);
});

Deno.test("the writer keeps order, and a broken stream stays silent", async () => {
  const seen: string[] = [];
  const writer = new LineWriter<{ n: number }>(
    new WritableStream({ write: (chunk) => void seen.push(new TextDecoder().decode(chunk)) }),
  );
  void writer.write({ n: 1 });
  await writer.write({ n: 2 });
  assert.deepEqual(seen, ['{"n":1}\n', '{"n":2}\n']);
  const broken = new LineWriter<number>(
    new WritableStream({
      write: () => {
        throw new Error("gone");
      },
    }),
  );
  await broken.write(1);
  await broken.write(2);
});

async function all(chunks: Uint8Array[], max: number): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of readLines(ReadableStream.from(chunks), max)) lines.push(line);
  return lines;
}
