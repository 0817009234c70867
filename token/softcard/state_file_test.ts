import assert from "node:assert/strict";
import { join } from "node:path";
import { decodeState, isDamage } from "./state_codec.ts";
import {
  type FileSystem,
  lockStateFile,
  spareOf,
  StateFile,
  StateFileError,
} from "./state_file.ts";
import type { CardState } from "./state.ts";
import { newPurse, order } from "../stored_value/test_purse.ts";
import { cheapCard, TestCard } from "./test_card.ts";

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
  // Every byte of a small state, so that there are thousands of places and not tens of thousands.
  const { openPgp: _large, ...before } = cheapCard({ serial: 1 });
  const after = { ...before, serial: 2 };
  const first = new Disk();
  new StateFile("/d/card", first).save(before);
  let cuts = 0;
  for (let cut = 0;; cut++) {
    const disk = first.copy();
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

Deno.test("cut at any byte afterwards, the file or its spare, the card is what it was", async () => {
  for (const [application, state] of await cardsWithContent()) {
    const disk = new Disk();
    const file = new StateFile("/d/card", disk);
    // What is saved last counts, not what was before it.
    file.save({ ...state, serial: 1 });
    file.save(state);
    const whole = disk.read("/d/card");
    assert.ok(whole);
    for (let length = 0; length < whole.length; length++) {
      disk.put("/d/card", whole.subarray(0, length));
      const read = file.load();
      assert.equal(read?.serial, state.serial, `${application} cut to ${length}`);
      assert.ok(file.isSpareUsed);
      if (length % 499 === 0) assert.deepEqual(read, state, `${application} cut to ${length}`);
    }
    disk.put("/d/card", whole);
    for (let length = 0; length < whole.length; length += 97) {
      disk.put(spareOf("/d/card"), whole.subarray(0, length));
      assert.deepEqual(file.load(), state);
      assert.ok(!file.isSpareUsed);
      assert.ok(file.isUneven, "the next start writes both");
    }
  }
});

Deno.test("a crash between file and spare, then damage: the start in between made them alike", () => {
  const { openPgp: _large, ...before } = cheapCard({ serial: 1 });
  const first = new Disk();
  new StateFile("/d/card", first).save(before);
  let uneven = 0;
  for (let cut = 0;; cut += 11) {
    const disk = first.copy();
    disk.powerFor(cut);
    const saved = new StateFile("/d/card", disk).save({ ...before, serial: 2 });
    disk.crash();
    const file = new StateFile("/d/card", disk);
    const started = file.load();
    assert.ok(started);
    if (file.isUneven) {
      uneven++;
      assert.ok(file.save(started));
    }
    // Whatever the card said since then, it said of this state: no other one may come back.
    const whole = disk.read("/d/card");
    disk.put("/d/card", (whole ?? new Uint8Array(0)).subarray(0, 100));
    assert.equal(file.load()?.serial, started.serial, `cut ${cut}`);
    if (saved) break;
  }
  assert.ok(uneven > 10, "there were such crashes");
});

Deno.test("the power goes while a damaged file is being replaced: still old or new", () => {
  const [before, after] = [cheapCard({ serial: 1 }), cheapCard({ serial: 2 })];
  for (let cut = 0;; cut += 53) {
    const disk = new Disk();
    new StateFile("/d/card", disk).save(before);
    disk.put("/d/card", new Uint8Array(10));
    disk.powerFor(cut);
    const saved = new StateFile("/d/card", disk).save(after);
    disk.powerFor(Infinity);
    const read = new StateFile("/d/card", disk).load();
    assert.ok(read?.serial === 1 || read?.serial === 2, `cut ${cut}`);
    if (saved) break;
  }
});

Deno.test("damage without a whole spare is refused with what to do, at every length", () => {
  const disk = new Disk();
  const file = new StateFile("/d/card", disk);
  file.save(cheapCard());
  disk.put(spareOf("/d/card"), new Uint8Array(0));
  const whole = disk.read("/d/card");
  assert.ok(whole);
  for (const length of [0, 1, 20, 83, 84, whole.length >> 1, whole.length - 1]) {
    disk.put("/d/card", whole.subarray(0, length));
    assert.throws(() => file.load(), StateFileError);
  }
  disk.put("/d/card", whole.subarray(0, whole.length - 1));
  assert.throws(
    () => file.load(),
    /cut or damaged, and so is its spare; restore a copy, or delete it/,
  );
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

/** A card for each application, with something of its own in it. */
async function cardsWithContent(): Promise<[string, CardState][]> {
  const { openPgp: _none, ...plain } = cheapCard();
  const piv = new TestCard(plain);
  piv.beAdministrator();
  piv.generate(0x9d, 0x11);
  piv.put(0x5f4000, new Uint8Array(700).fill(5));
  const openPgp = new TestCard();
  openPgp.send([0xa4, 4, 0], Uint8Array.fromHex("d27600012401"));
  const pin = new TextEncoder().encode("12345678");
  assert.equal(openPgp.send([0x20, 0, 0x83], pin).sw, 0x9000);
  assert.equal(openPgp.send([0xda, 1, 2], new Uint8Array(200).fill(7)).sw, 0x9000);
  const { card, client } = await newPurse();
  await client.askCredit(order(5, "L", 1));
  return [["PIV", piv.card.state], ["OpenPGP", openPgp.card.state], ["purse", card.state]];
}

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

  copy(): Disk {
    const other = new Disk();
    other.#now = new Map(this.#now);
    other.#durable = new Map(this.#durable);
    return other;
  }

  put(path: string, bytes: Uint8Array): void {
    this.#now.set(path, bytes.slice());
  }

  writeDurably(path: string, bytes: Uint8Array): void {
    // One step for each byte: what the power leaves of them is what it leaves of the file.
    const written = bytes.slice(0, Math.min(bytes.length, this.#left));
    this.#now.set(path, written);
    this.#durable.set(path, written);
    const isWhole = this.#left > bytes.length;
    this.#left -= bytes.length + 1;
    if (!isWhole) throw new Error("power cut");
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
