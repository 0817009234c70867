import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { fold } from "./checksum.ts";
import { type PacketMemory, packetMemory, plainMemory, simdMemory } from "./packet_memory.ts";

const LENGTH = 1 << 18;
const TO = 1 << 17;

/** Bytes that follow from a seed, so that a failure comes again: xorshift32. */
function randomBytes(seed: number): Uint8Array {
  const words = new Uint32Array(LENGTH / 4);
  let word = seed | 0 || 1;
  for (let at = 0; at < words.length; at++) {
    word ^= word << 13;
    word ^= word >>> 17;
    word ^= word << 5;
    words[at] = word;
  }
  return new Uint8Array(words.buffer);
}

Deno.test("vectors, words and bytes give the same sums and copies", () => {
  const fast = simdMemory(LENGTH);
  assert.ok(fast, "this runtime has WebAssembly with vectors");
  const both: readonly PacketMemory[] = [fast, plainMemory(LENGTH)];
  const lengths = fc.oneof(fc.nat(130), fc.nat(1500), fc.nat(65_535));
  fc.assert(
    fc.property(fc.integer(), fc.nat(64), fc.nat(16), lengths, (seed, fromWord, toWord, length) => {
      const random = randomBytes(seed);
      const [from, to] = [fromWord * 4, TO + toWord * 4];
      const moved = (to: number, from: number) => {
        const expected = random.slice();
        expected.copyWithin(to, from, from + length);
        return expected;
      };
      for (const memory of both) {
        memory.bytes.set(random);
        assert.equal(
          fold(memory.sum(from, length) >>> 0),
          sumOfBytes(random.subarray(from, from + length)),
        );
        assert.ok(equal(memory.bytes, random));
        assert.equal(
          fold(memory.copySum(to, from + 1, length) >>> 0),
          sumOfBytes(random.subarray(from + 1, from + 1 + length)),
        );
        assert.ok(equal(memory.bytes, moved(to, from + 1)));
        memory.bytes.set(random);
        memory.copy(to + 3, from + 2, length);
        assert.ok(equal(memory.bytes, moved(to + 3, from + 2)));
      }
    }),
    { numRuns: 60 },
  );
});

Deno.test("the largest sum there is doesn't overflow", () => {
  for (const memory of [simdMemory(LENGTH), plainMemory(LENGTH)]) {
    assert.ok(memory);
    memory.bytes.fill(0xff);
    assert.equal(memory.sum(0, 65_534) >>> 0, 32_767 * 0xffff);
    assert.equal(memory.copySum(TO, 0, 65_535) >>> 0, 32_767 * 0xffff + 0xff);
  }
});

Deno.test("an address belongs to the memory for good", () => {
  const memory = packetMemory(100_000);
  assert.ok(memory.bytes.length >= 100_000);
  assert.equal(memory.words.buffer, memory.bytes.buffer);
  const before = Deno.UnsafePointer.value(Deno.UnsafePointer.of(memory.bytes));
  for (let round = 0; round < 1000; round++) memory.copySum(0, 50_000, 40_000);
  assert.equal(Deno.UnsafePointer.value(Deno.UnsafePointer.of(memory.bytes)), before);
});

/** RFC 1071, byte by byte. */
function sumOfBytes(bytes: Uint8Array): number {
  let sum = 0;
  for (const [index, byte] of bytes.entries()) sum += index % 2 === 0 ? byte << 8 : byte;
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return sum;
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
