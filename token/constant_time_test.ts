import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { equalBytes } from "./constant_time.ts";

Deno.test("equal is equal, and any one bit or byte more isn't", () => {
  const bytes = Uint8Array.from({ length: 20 }, (_, i) => i * 11);
  assert.ok(equalBytes(bytes, bytes.slice()));
  assert.ok(equalBytes(new Uint8Array(0), new Uint8Array(0)));
  assert.ok(!equalBytes(bytes, bytes.subarray(1)));
  for (let bit = 0; bit < 160; bit++) {
    const other = bytes.slice();
    other[bit >> 3] = (other[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    assert.ok(!equalBytes(bytes, other), `bit ${bit}`);
  }
});

Deno.test("wherever the difference is, every byte of both is read", () => {
  const bytes = new Uint8Array(16);
  for (let at = -1; at < 16; at++) {
    const other = bytes.slice();
    if (at >= 0) other[at] = 1;
    const reads = { a: 0, b: 0 };
    const counted = (target: Uint8Array, name: "a" | "b") =>
      new Proxy(target, {
        get(of, key) {
          if (typeof key === "string" && /^\d+$/.test(key)) reads[name]++;
          return Reflect.get(of, key, of);
        },
      });
    assert.equal(equalBytes(counted(bytes, "a"), counted(other, "b")), at < 0);
    assert.deepEqual(reads, { a: 16, b: 16 }, `difference at ${at}`);
  }
});

Deno.test("cards and purses compare secrets by this function and by nothing else", () => {
  const others =
    /timingSafeEqual|Buffer\.compare|\.compare\(|\.equals\(|toHex\(\)\s*[!=]==|toString\("hex"\)\s*[!=]==/;
  const checked: string[] = [];
  for (const path of sources("softcard").concat(sources("stored_value"))) {
    const text = readFileSync(new URL(path, import.meta.url), "utf8");
    assert.doesNotMatch(text, others, `${path} compares bytes by other means`);
    // A MAC or challenge beside === is compared byte by byte, or by its text.
    for (const [index, line] of text.split("\n").entries()) {
      const isLength = /\.length\b|undefined|\btypeof\b/.test(line);
      const compares = /\b(mac|expected|challenge|secret|pin|code)\b[^=;,()]*[!=]==/i.test(line);
      assert.ok(isLength || !compares, `${path}:${index + 1}: ${line.trim()}`);
    }
    if (text.includes("equalBytes(")) checked.push(path);
  }
  assert.ok(checked.includes("softcard/piv/management.ts"), checked.join());
  assert.ok(checked.some((path) => path.startsWith("softcard/stored_value/")), checked.join());
  assert.ok(checked.some((path) => path.startsWith("stored_value/")), checked.join());
});

/** The program's files in a folder beside this one; without tests and what only tests use. */
function sources(folder: string): string[] {
  return readdirSync(new URL(`${folder}/`, import.meta.url), { withFileTypes: true })
    .flatMap((entry) => {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory()) return sources(path);
      return /(?<!_test|test_card)\.ts$/.test(entry.name) ? [path] : [];
    });
}
