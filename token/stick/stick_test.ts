import assert from "node:assert/strict";
import fc from "fast-check";
import { SecretMemory } from "../../os/secret_memory.ts";
import { explainStickFault, type StickFault } from "./fault.ts";
import { AREA } from "./layout.ts";
import type { StickMedium } from "./medium.ts";
import { checkStickProfile, findStick, openKey, openProgram, openStickProfile } from "./open.ts";
import { decodeTable, encodeTable, FRONT_SECTORS, SECTOR } from "./partition.ts";
import {
  HIDDEN_AT,
  makeIssuer,
  makeSample,
  mediumOf,
  NOW,
  PARTITIONS,
  PASSWORD,
  PROGRAM,
  type Sample,
  SECTORS,
} from "./test_stick.ts";

Deno.test("a partition table comes back as it was, from either copy", () => {
  const { front, back } = encodeTable(PARTITIONS, {
    sectors: SECTORS,
    id: PARTITIONS[0]?.id ?? "",
  });
  const whole = decodeTable({ front, back }, SECTORS);
  assert.deepEqual(whole, { result: "ok", partitions: PARTITIONS });
  const none = { front: new Uint8Array(front.length), back: new Uint8Array(back.length) };
  assert.deepEqual(decodeTable(none, SECTORS), { result: "none" });
  for (const damaged of ["front", "back"] as const) {
    const image = { front: front.slice(), back: back.slice() };
    image[damaged].fill(0xff, image[damaged].length - 600);
    const read = decodeTable(image, SECTORS);
    assert.deepEqual(read, { result: "ok", partitions: PARTITIONS, damaged });
  }
  const both = { front: front.slice(), back: new Uint8Array(back.length) };
  both.front.fill(1, SECTOR, 2 * SECTOR);
  assert.deepEqual(decodeTable(both, SECTORS), { result: "damaged" });
  // A whole table that belongs to a disk of another size.
  assert.equal(decodeTable({ front, back }, 1100).result, "damaged");
});

Deno.test("no single changed byte of a table goes unnoticed", () => {
  const { front, back } = encodeTable(PARTITIONS, {
    sectors: SECTORS,
    id: PARTITIONS[0]?.id ?? "",
  });
  fc.assert(fc.property(
    fc.nat(front.length - SECTOR - 1),
    fc.integer({ min: 1, max: 255 }),
    (offset, change) => {
      const at = SECTOR + offset;
      const image = front.slice();
      image[at] = (image[at] ?? 0) ^ change;
      const read = decodeTable({ front: image, back }, SECTORS);
      assert.equal(read.result, "ok");
      const isMeant = at < SECTOR + 92 || at >= 2 * SECTOR;
      assert.equal("damaged" in read, isMeant, `byte ${at}`);
    },
  ));
  assert.throws(() => encodeTable(PARTITIONS, { sectors: 1100, id: PARTITIONS[0]?.id ?? "" }));
});

Deno.test("a stick opens with its password, and gives out profile, keys and program", async () => {
  const sample = await makeSample();
  const { found, head } = await find(sample);
  assert.equal(head.holder, "Alice Example");
  assert.equal(await openKey(found, new TextEncoder().encode("correct horsf")), "wrong-password");
  const identity = await openKey(found, PASSWORD);
  assert.ok(identity !== "wrong-password");
  using secrets = SecretMemory.allocate(4096);
  const opened = await openStickProfile(found, { head, identity, secrets });
  assert.equal(opened.result, "ok");
  if (opened.result !== "ok") return;
  assert.deepEqual(opened.privateKey?.bytes, sample.privateKey);
  const program = await openProgram(mediumOf(sample.disk), { found, identity });
  assert.ok("program" in program);
  assert.deepEqual(program.program, PROGRAM);
});

Deno.test("damage has its own word at each place, and none of them is a wrong password", async () => {
  const sample = await makeSample();
  const programAt = HIDDEN_AT + AREA.program;
  const cases: [string, number, StickFault][] = [
    ["head's magic", HIDDEN_AT, { fault: "head-damaged" }],
    ["head's length", HIDDEN_AT + 6, { fault: "head-damaged" }],
    ["signed head", HIDDEN_AT + 300, { fault: "head-damaged" }],
    ["key", HIDDEN_AT + AREA.key + 100, { fault: "key-damaged" }],
    ["profile's header", HIDDEN_AT + AREA.profile + 30, { fault: "profile-damaged" }],
    ["profile's payload", HIDDEN_AT + AREA.profile + 700, { fault: "profile-damaged" }],
    ["program's header", programAt + 30, { fault: "program-damaged", chunk: 0, chunks: 0 }],
    ["first chunk", programAt + 1000, { fault: "program-damaged", chunk: 1, chunks: 4 }],
    ["third chunk", programAt + 150_000, { fault: "program-damaged", chunk: 3, chunks: 4 }],
    ["tail", programAt + sample.programLength - 1, {
      fault: "program-damaged",
      chunk: 4,
      chunks: 4,
    }],
  ];
  const said = new Set<string>();
  for (const [what, at, expected] of cases) {
    const disk = sample.disk.slice();
    disk[at] = (disk[at] ?? 0) ^ 1;
    const fault = await faultOf(disk, sample);
    assert.deepEqual(fault, expected, what);
    said.add(explainStickFault(expected));
  }
  const torn = sample.disk.slice();
  torn.fill(0xaa, 0, FRONT_SECTORS * SECTOR);
  assert.equal(await faultOf(torn, sample), undefined, "the second table stands in");
  torn.fill(0xaa, torn.length - SECTOR);
  assert.deepEqual(await faultOf(torn, sample), { fault: "no-stick" });
  torn.set(new TextEncoder().encode("EFI PART"), SECTOR);
  assert.deepEqual(await faultOf(torn, sample), { fault: "table-damaged" });
  assert.deepEqual(await faultOf(new Uint8Array(SECTORS * SECTOR), sample), { fault: "no-stick" });
  assert.deepEqual(await faultOf(new Uint8Array(100), sample), { fault: "no-stick" });
  const other = await makeSample();
  assert.deepEqual(await faultOf(other.disk, sample), { fault: "forged" });
  const newer = sample.disk.slice();
  newer[HIDDEN_AT + 4] = 2;
  assert.deepEqual(await faultOf(newer, sample), { fault: "newer-version" });
  assert.equal(said.size, 7);
});

Deno.test("a medium that ends too early or can't be read is told apart", async () => {
  const sample = await makeSample();
  const whole = mediumOf(sample.disk);
  const ends = (end: number, result: "short" | "error"): StickMedium => ({
    sectors: SECTORS,
    read: async (at, length) => {
      const isTable = at < 100 * SECTOR || at > 3000 * SECTOR;
      if (isTable || at + length <= end) return await whole.read(at, length);
      return result === "error" ? undefined : (await whole.read(at, length))?.subarray(0, 10);
    },
  });
  for (
    const at of [AREA.head, AREA.key, AREA.profile].map((area) => HIDDEN_AT + area)
  ) {
    const short = await findStick(ends(at, "short"), [sample.issuer.publicKey]);
    assert.deepEqual(short, { fault: "cut-off" });
    const error = await findStick(ends(at, "error"), [sample.issuer.publicKey]);
    assert.deepEqual(error, { fault: "unreadable" });
  }
  const { found } = await find(sample);
  const identity = await openKey(found, PASSWORD);
  assert.ok(identity !== "wrong-password");
  const medium = ends(HIDDEN_AT + AREA.program, "short");
  assert.deepEqual(await openProgram(medium, { found, identity }), { fault: "cut-off" });
});

Deno.test("a part of another stick of the same issuer is not taken", async () => {
  const issuer = await makeIssuer();
  const [one, two] = [await makeSample(issuer), await makeSample(issuer)];
  const mixed = one.disk.slice();
  const at = HIDDEN_AT + AREA.profile;
  mixed.set(two.disk.subarray(at, at + 4000), at);
  assert.deepEqual(await faultOf(mixed, one), { fault: "profile-damaged" });
});

async function find(sample: Sample) {
  const found = await findStick(mediumOf(sample.disk), [sample.issuer.publicKey]);
  assert.ok(!("fault" in found), JSON.stringify(found));
  const checked = await checkStickProfile(found, { now: NOW, highestGeneration: 0 });
  assert.ok(checked.result === "ok", JSON.stringify(checked));
  return { found, head: checked.head };
}

/** What is wrong with a disk when it is opened with the right password. */
async function faultOf(
  disk: Uint8Array<ArrayBuffer>,
  sample: Sample,
): Promise<StickFault | undefined> {
  const medium = mediumOf(disk);
  const found = await findStick(medium, [sample.issuer.publicKey]);
  if ("fault" in found) return found;
  const identity = await openKey(found, PASSWORD);
  assert.ok(identity !== "wrong-password", "damage is no wrong password");
  const program = await openProgram(medium, { found, identity });
  return "fault" in program ? program : undefined;
}
