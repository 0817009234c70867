import assert from "node:assert/strict";
import { join } from "node:path";
import { decodeState, isDamage } from "./state_codec.ts";
import { type FileSystem, lockStateFile, StateFile, StateFileError } from "./state_file.ts";
import { cheapCard } from "./test_card.ts";

Deno.test("what was saved is loaded, with rights for the owner only", async () => {
  await using folder = await temporary();
  const path = join(folder.path, "card");
  const file = new StateFile(path);
  assert.equal(file.load(), undefined);
  const state = cheapCard();
  assert.ok(file.save(state));
  assert.deepEqual(file.load(), state);
  assert.equal((Deno.statSync(path).mode ?? 0) & 0o777, 0o600);
});

Deno.test("the power may go at any byte and between any two calls: old or new, never neither", () => {
  const before = cheapCard({ serial: 1 });
  const after = cheapCard({ serial: 2 });
  let cuts = 0;
  for (let cut = 0;; cut++) {
    const disk = new Disk();
    new StateFile("/d/card", disk).save(before);
    disk.powerFor(cut);
    const saved = new StateFile("/d/card", disk).save(after);
    disk.crash();
    const read = new StateFile("/d/card", disk).load();
    assert.ok(read, `cut ${cut}`);
    assert.ok(read.serial === 1 || read.serial === 2, `cut ${cut}`);
    if (saved) assert.equal(read.serial, 2, "saved means durable");
    cuts++;
    if (saved) break;
  }
  assert.ok(cuts > 1000, "every byte was a place to cut");
});

Deno.test("damage is refused with what to do, at every length", () => {
  const disk = new Disk();
  const file = new StateFile("/d/card", disk);
  file.save(cheapCard());
  const whole = disk.read("/d/card");
  assert.ok(whole);
  for (const length of [0, 1, 20, 83, 84, whole.length >> 1, whole.length - 1]) {
    disk.put("/d/card", whole.subarray(0, length));
    assert.throws(() => file.load(), StateFileError);
  }
  disk.put("/d/card", whole.subarray(0, whole.length - 1));
  assert.throws(() => file.load(), /cut or damaged; restore a copy, or delete it/);
  disk.put("/d/card", new TextEncoder().encode("hello"));
  assert.throws(() => file.load(), /no software card's file; name another file/);
});

Deno.test("a state that can't be written says so and leaves the old one", async () => {
  await using folder = await temporary();
  const path = join(folder.path, "card");
  const file = new StateFile(path);
  file.save(cheapCard({ serial: 1 }));
  // A folder in the way of the new file: the write fails as on a full disk.
  Deno.mkdirSync(`${path}.new`);
  assert.equal(file.save(cheapCard({ serial: 2 })), false);
  assert.equal(file.load()?.serial, 1);
  assert.equal(new StateFile(join(folder.path, "none", "card")).save(cheapCard()), false);
});

Deno.test("two cards don't share one file", async () => {
  await using folder = await temporary();
  const path = join(folder.path, "card");
  const first = lockStateFile(path);
  assert.throws(() => lockStateFile(path), /another softcard has it; stop that one first/);
  first[Symbol.dispose]();
  lockStateFile(path)[Symbol.dispose]();
  assert.throws(() => lockStateFile(join(folder.path, "none", "card")), StateFileError);
});

/**
 * A disk as bad as POSIX allows: a file's bytes and a folder's names are durable only after their
 * sync, and the power may go after any byte. What was renamed without a sync may or may not be there.
 */
class Disk implements FileSystem {
  #now = new Map<string, Uint8Array>();
  #durable = new Map<string, Uint8Array>();
  #left = Infinity;
  #isNameDurable = true;

  powerFor(steps: number): void {
    this.#left = steps;
  }

  put(path: string, bytes: Uint8Array): void {
    this.#now.set(path, bytes.slice());
  }

  writeDurably(path: string, bytes: Uint8Array): void {
    for (let at = 0; at <= bytes.length; at++) {
      this.#now.set(path, bytes.slice(0, at));
      this.#durable.set(path, bytes.slice(0, at));
      this.#step();
    }
  }

  rename(from: string, to: string): void {
    this.#step();
    const bytes = this.#now.get(from);
    assert.ok(bytes);
    this.#now.set(to, bytes);
    this.#now.delete(from);
    this.#isNameDurable = false;
    this.#step();
  }

  syncDirectory(): void {
    this.#step();
    this.#durable = new Map(this.#now);
    this.#isNameDurable = true;
    this.#step();
  }

  read(path: string): Uint8Array | undefined {
    return this.#now.get(path);
  }

  /** The rename that wasn't synced is lost; a test that saw it kept would be the easier one. */
  crash(): void {
    if (!this.#isNameDurable) {
      assert.ok(!isDamage(decodeState(this.#now.get("/d/card") ?? new Uint8Array(0))));
    }
    this.#now = new Map(this.#durable);
    this.#left = Infinity;
  }

  #step(): void {
    if (this.#left-- <= 0) throw new Error("power cut");
  }
}

async function temporary(): Promise<AsyncDisposable & { path: string }> {
  const path = await Deno.makeTempDir({ prefix: "sekisho-card-" });
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}
