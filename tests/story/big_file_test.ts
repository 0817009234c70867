import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { bigFile, bigFileHash } from "./big_file.ts";

Deno.test("a big file is the same each time, of its size, and different for each seed", () => {
  const file = { seed: 7, size: 200_001 };
  const blocks = [...bigFile(file)];
  const whole = Uint8Array.from(blocks.flatMap((block) => [...block]));
  assert.equal(whole.length, file.size);
  assert.equal(createHash("sha256").update(whole).digest("hex"), bigFileHash(file));
  assert.equal(bigFileHash(file), bigFileHash(file));
  assert.notEqual(bigFileHash({ ...file, seed: 8 }), bigFileHash(file));
  assert.notEqual(bigFileHash({ ...file, size: 200_000 }), bigFileHash(file));
  assert.equal(new Set(blocks.map((block) => block.toHex())).size, blocks.length);
});
