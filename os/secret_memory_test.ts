import assert from "node:assert/strict";
import { SecretMemory, viewNative } from "./secret_memory.ts";

Deno.test("SecretMemory is locked, left out of dumps, and wiped", () => {
  const memory = SecretMemory.allocate(100);
  memory.bytes.set([1, 2, 3], 97);
  assert.deepEqual([...viewNative(memory.address + 97n, 3)], [1, 2, 3]);
  const flags = vmFlagsOf(memory.address);
  assert.ok(flags.includes("lo"), `locked: ${flags}`);
  assert.ok(flags.includes("dd"), `not dumped: ${flags}`);
  memory.wipe();
  assert.ok(memory.bytes.every((byte) => byte === 0));
  memory.free();
  assert.equal(vmFlagsOf(memory.address), "");
});

Deno.test("SecretMemory hands out aligned parts and ends", () => {
  using memory = SecretMemory.allocate(64);
  const first = memory.take(5);
  const second = memory.take(32);
  assert.equal(second.address - first.address, 16n);
  second.bytes.fill(7);
  assert.equal(memory.bytes[16], 7);
  assert.throws(() => memory.take(32), /Cannot take 32 bytes of secret memory: 16 left/);
  assert.throws(() => SecretMemory.allocate(0), RangeError);
});

function vmFlagsOf(address: bigint): string {
  const smaps = Deno.readTextFileSync("/proc/self/smaps");
  let inside = false;
  for (const line of smaps.split("\n")) {
    const range = /^([0-9a-f]+)-([0-9a-f]+) /.exec(line);
    if (range) {
      inside = BigInt(`0x${range[1]}`) <= address && address < BigInt(`0x${range[2]}`);
    } else if (inside && line.startsWith("VmFlags:")) return line;
  }
  return "";
}
