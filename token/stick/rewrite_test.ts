import assert from "node:assert/strict";
import fc from "fast-check";
import { SecretMemory } from "../../os/secret_memory.ts";
import { WriteInDoubtError } from "../profile/in_doubt.ts";
import type { StickFault } from "./fault.ts";
import { VerifyError } from "./format.ts";
import { AREA, COPIES, HIDDEN_BYTES } from "./layout.ts";
import type { StickMedium } from "./medium.ts";
import {
  checkStickProfile,
  findStick,
  type FoundStick,
  openKey,
  openProgram,
  openStickProfile,
} from "./open.ts";
import { SECTOR } from "./partition.ts";
import { rewriteCopies, type WritableMedium } from "./rewrite.ts";
import { type HiddenPieces, piecesOf, resealHidden } from "./seal.ts";
import {
  HIDDEN_AT,
  makeSample,
  mediumOf,
  NOW,
  PASSWORD,
  PROGRAM,
  type Sample,
} from "./test_stick.ts";

const [FRONT, SPARE] = COPIES;
const LONGER = 1_950_000_000;
const sample = await makeSample(undefined, { hiddenSectors: HIDDEN_BYTES / SECTOR });

Deno.test("a renewed stick opens with its password, and carries its program still", async () => {
  const disk = new Disk(sample.disk);
  const before = await found(disk);
  await rewriteCopies(disk, before, await renewal(before));
  const after = await found(disk);
  assert.equal(after.copyAt, FRONT);
  assert.equal(after.isHalf, undefined);
  assert.equal(after.head.stick, before.head.stick);
  assert.deepEqual(await contentOf(disk), { expiresAt: LONGER, generation: 6, key: "same" });
  const identity = await openKey(after, PASSWORD);
  assert.ok(identity !== "wrong-password");
  const program = await openProgram(disk, { found: after, identity });
  assert.ok("program" in program);
  assert.deepEqual(program.program, PROGRAM);
  assert.equal(await openKey(after, new TextEncoder().encode("correct horsf")), "wrong-password");

  // And once more, from two copies.
  const again = await renewal(after, { generation: 7 });
  await rewriteCopies(disk, after, again);
  assert.equal((await contentOf(disk)).generation, 7);
});

Deno.test("wherever the power is cut, the old profile or the new one opens whole", async () => {
  const fresh = new Disk(sample.disk);
  const before = await found(fresh);
  const pieces = await renewal(before);
  const total = 2 * pieces.reduce((sum, { bytes }) => sum + bytes.length, 0);
  const seen = new Set<number>();
  const words = new Set<string>();
  for (let end = 0; end < total + 293; end += 293) {
    for (const torn of ["stops", "garbage"] as const) {
      const disk = new Disk(sample.disk, { end, torn });
      const word = await rewriteCopies(disk, before, pieces).catch(wordFor);
      disk.repair();
      const { generation, expiresAt } = await contentOf(disk);
      words.add(word);
      if (word !== "in doubt") assert.equal(generation, word === "gone" ? 5 : 6, `${end} ${word}`);
      assert.ok(
        generation === 5 ? expiresAt === 1_900_000_000 : generation === 6 && expiresAt === LONGER,
      );
      seen.add(generation);
      if (end % 1465 > 0) continue;
      // The next one puts it right, whichever copy was left whole.
      const half = await found(disk);
      await rewriteCopies(disk, half, await renewal(half, { generation: 7 }));
      const { isHalf, copyAt } = await found(disk);
      assert.deepEqual({ isHalf, copyAt }, { isHalf: undefined, copyAt: FRONT });
      assert.equal((await contentOf(disk)).generation, 7);
    }
  }
  assert.deepEqual([...seen], [5, 6]);
  assert.deepEqual([...words], ["gone", "in doubt", "untidied", "whole"]);
});

Deno.test("a medium that doesn't keep what is written is found out before the copy in use goes", async () => {
  const disk = new Disk(sample.disk, { deaf: [HIDDEN_AT + SPARE, HIDDEN_AT + HIDDEN_BYTES] });
  const before = await found(disk);
  await assert.rejects(rewriteCopies(disk, before, await renewal(before)), VerifyError);
  assert.deepEqual(await contentOf(disk), { expiresAt: 1_900_000_000, generation: 5, key: "same" });
  assert.equal((await found(disk)).isHalf, undefined);
});

Deno.test("nothing is written beyond a hidden part that is too small", async () => {
  const small = await makeSample(sample.issuer);
  const disk = new Disk(small.disk);
  const before = await found(disk);
  disk.write = () => Promise.reject(new Error("It writes"));
  await assert.rejects(rewriteCopies(disk, before, await renewal(before)), RangeError);
});

Deno.test("of two copies one may be damaged anywhere; both have the first one's word", async () => {
  const disk = new Disk(sample.disk);
  await rewriteCopies(disk, await found(disk), await renewal(await found(disk)));
  const places: [number, StickFault["fault"]][] = [
    [AREA.head, "head-damaged"],
    [AREA.head + 300, "head-damaged"],
    [AREA.key + 100, "key-damaged"],
    [AREA.profile + 30, "profile-damaged"],
  ];
  for (const [place, fault] of places) {
    for (const copyAt of COPIES) {
      const one = disk.fork();
      one.flip(HIDDEN_AT + copyAt + place);
      assert.equal((await contentOf(one)).generation, 6);
      const other = await found(one);
      assert.equal(other.isHalf, true);
      assert.notEqual(other.copyAt, copyAt);
    }
    const both = disk.fork();
    both.flip(HIDDEN_AT + FRONT + place);
    both.flip(HIDDEN_AT + SPARE + AREA.key + 7);
    assert.deepEqual(await findStick(both, [sample.issuer.publicKey]), { fault });
  }
});

Deno.test("whatever is damaged of two copies: a whole one opens, or the damage has its word", async () => {
  const half = new Disk(sample.disk);
  const pieces = await renewal(await found(half));
  // The spare is the newer one.
  for (const { at, bytes } of pieces) await half.write(HIDDEN_AT + SPARE + at, bytes);
  const words = new Set<string>();
  const place = fc.tuple(fc.constantFrom(...COPIES), fc.constantFrom(...pieces), fc.nat()).map(
    // Past its end a head is padding, which no check covers.
    ([copyAt, { at, bytes }, offset]) => ({
      copyAt,
      at: copyAt + at + offset % Math.min(bytes.length, 700),
    }),
  );
  const places = fc.uniqueArray(place, { minLength: 1, maxLength: 4, selector: ({ at }) => at });
  await fc.assert(
    fc.asyncProperty(places, async (flipped) => {
      const disk = half.fork();
      for (const { at } of flipped) disk.flip(HIDDEN_AT + at);
      const hit = new Set(flipped.map(({ copyAt }) => copyAt));
      const stick = await findStick(disk, [sample.issuer.publicKey]);
      if ("fault" in stick) {
        words.add(stick.fault);
        return assert.equal(hit.size, 2, "only where both copies are damaged");
      }
      assert.equal(hit.size, 1);
      assert.equal((await contentOf(disk)).generation, hit.has(SPARE) ? 5 : 6);
    }),
    { numRuns: 150 },
  );
  assert.ok(words.has("head-damaged") && words.has("profile-damaged"), [...words].join());
});

Deno.test("a spare of another issuer's stands in for nothing, whatever its generation", async () => {
  const stranger = await makeSample(undefined, { hiddenSectors: HIDDEN_BYTES / SECTOR });
  const disk = new Disk(sample.disk);
  const theirs = stranger.disk.slice(HIDDEN_AT, HIDDEN_AT + AREA.program);
  await disk.write(HIDDEN_AT + SPARE, theirs);
  const taken = await found(disk);
  assert.deepEqual([taken.copyAt, taken.isHalf], [FRONT, true]);
  disk.flip(HIDDEN_AT + 300);
  assert.deepEqual(await findStick(disk, [sample.issuer.publicKey]), { fault: "head-damaged" });
});

async function found(medium: StickMedium): Promise<FoundStick> {
  const stick = await findStick(medium, [sample.issuer.publicKey]);
  assert.ok(!("fault" in stick), JSON.stringify(stick));
  return stick;
}

async function renewal(stick: FoundStick, { generation = 6 } = {}): Promise<HiddenPieces> {
  const pieces = await resealHidden(stick, {
    profile: { ...sample.profile, generation, expiresAt: LONGER },
    keys: { privateKey: sample.privateKey },
    recipients: [sample.recipient],
  }, { issuer: sample.issuer, now: NOW + 1 });
  return piecesOf(stick, pieces);
}

/** What the password opens. */
async function contentOf(medium: StickMedium) {
  const stick = await found(medium);
  const checked = await checkStickProfile(stick, { now: NOW, highestGeneration: 0 });
  assert.ok(checked.result === "ok", JSON.stringify(checked));
  const identity = await openKey(stick, PASSWORD);
  assert.ok(identity !== "wrong-password", "a cut is no wrong password");
  using secrets = SecretMemory.allocate(4096);
  const opened = await openStickProfile(stick, { head: checked.head, identity, secrets });
  assert.ok(opened.result === "ok", opened.result);
  const { expiresAt, generation } = opened.profile;
  const isSame = opened.privateKey?.bytes.toHex() === sample.privateKey.toHex();
  return { expiresAt, generation, key: isSame ? "same" : "another" };
}

class PowerCut extends Error {}

function wordFor(error: unknown): "gone" | "in doubt" {
  if (error instanceof WriteInDoubtError) return "in doubt";
  if (error instanceof PowerCut) return "gone";
  throw error;
}

/** A disk over another one, that may lose its power or forget what is written in a range. */
class Disk implements WritableMedium {
  readonly sectors: number;
  readonly #base: Sample["disk"];
  readonly #changed: Map<number, Uint8Array<ArrayBuffer>>;
  readonly #faults: { end?: number; torn?: "stops" | "garbage"; deaf?: [number, number] };
  #left: number;

  constructor(
    base: Sample["disk"],
    faults: { end?: number; torn?: "stops" | "garbage"; deaf?: [number, number] } = {},
    changed: ReadonlyMap<number, Uint8Array<ArrayBuffer>> = new Map(),
  ) {
    this.sectors = mediumOf(base).sectors;
    this.#base = base;
    this.#faults = faults;
    this.#left = faults.end ?? Infinity;
    this.#changed = new Map([...changed].map(([at, bytes]) => [at, bytes.slice()]));
  }

  fork(): Disk {
    return new Disk(this.#base, {}, this.#changed);
  }

  /** The power is back. */
  repair(): void {
    this.#left = Infinity;
  }

  read(at: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = new Uint8Array(length);
    for (let done = 0; done < length;) {
      const [sector, offset] = [Math.floor((at + done) / SECTOR), (at + done) % SECTOR];
      const step = Math.min(SECTOR - offset, length - done);
      bytes.set(this.#sector(sector).subarray(offset, offset + step), done);
      done += step;
    }
    return Promise.resolve(bytes);
  }

  write(at: number, bytes: Uint8Array): Promise<void> {
    const [from, to] = this.#faults.deaf ?? [0, 0];
    if (at >= from && at < to) return Promise.resolve();
    const count = Math.min(bytes.length, this.#left);
    for (let done = 0; done < count; done++) this.#set(at + done, bytes[done] ?? 0);
    this.#left -= count;
    if (count === bytes.length) return Promise.resolve();
    // The sector that was being written, and the next one, may be anything.
    const tail = this.#faults.torn === "garbage" ? 2 * SECTOR : 0;
    for (let done = 0; done < tail; done++) this.#set(at + count + done, done * 7 & 0xff);
    return Promise.reject(new PowerCut());
  }

  settle(): Promise<void> {
    return Promise.resolve();
  }

  flip(at: number): void {
    this.#set(at, (this.#sector(Math.floor(at / SECTOR))[at % SECTOR] ?? 0) ^ 1);
  }

  #set(at: number, byte: number): void {
    const sector = Math.floor(at / SECTOR);
    const changed = this.#changed.get(sector) ?? this.#sector(sector).slice();
    changed[at % SECTOR] = byte;
    this.#changed.set(sector, changed);
  }

  #sector(sector: number): Uint8Array<ArrayBuffer> {
    const at = sector * SECTOR;
    return this.#changed.get(sector) ?? this.#base.subarray(at, at + SECTOR);
  }
}
