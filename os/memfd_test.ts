import assert from "node:assert/strict";
import { drainPipe, makeMemoryFile, pipeHolding } from "./memfd.ts";

const BYTES = new TextEncoder().encode("what lies in memory");

Deno.test("a file in memory can be read by its descriptor, and once sealed not be changed", () => {
  const file = makeMemoryFile("sekisho-test");
  const path = `/proc/self/fd/${file.descriptor}`;
  file.write(BYTES);
  file.seal();
  assert.deepEqual(Deno.readFileSync(path), BYTES);
  assert.match(Deno.readLinkSync(path), /^\/memfd:sekisho-test \(deleted\)$/);
  assert.throws(() => file.write(BYTES), /Cannot fill a file in memory: /);
  assert.throws(() => Deno.truncateSync(path));
});

Deno.test("a pipe gives its bytes out once", () => {
  const end = pipeHolding(BYTES);
  assert.deepEqual(drainPipe(end, 100), BYTES);
  assert.equal(drainPipe(end, 100).length, 0, "it is closed");
  assert.throws(() => pipeHolding(new Uint8Array(5000)), RangeError);
});
