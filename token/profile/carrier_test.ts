import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { administer, makeSample } from "../../tests/token/sample.ts";
import { CardGoneError } from "../apdu/channel.ts";
import { selectPiv } from "../piv/client.ts";
import { readHead, readSealed, writeProfileToCard } from "./carrier.ts";
import { WriteInDoubtError } from "./in_doubt.ts";

const profileOf = (length: number) => ({
  head: new Uint8Array(randomBytes(600)),
  sealed: new Uint8Array(randomBytes(length)),
});

Deno.test("a card without a profile says so", async () => {
  const { piv } = await makeSample();
  assert.deepEqual(await readHead(piv), { result: "fault", fault: "none-on-card" });
});

Deno.test("profiles of every number of chunks come back, each in the other's place", async () => {
  const { piv } = await makeSample();
  for (const length of [1, 2999, 3000, 3001, 9000, 24_000, 10]) {
    const profile = profileOf(length);
    await writeProfileToCard(piv, profile);
    await assertCarries(piv, profile);
  }
  await assert.rejects(writeProfileToCard(piv, profileOf(24_001)), RangeError);
  await assert.rejects(writeProfileToCard(piv, profileOf(0)), RangeError);
});

Deno.test("wherever the power is cut, the old profile or the new one is there whole", async () => {
  const { card, piv } = await makeSample();
  const old = profileOf(7000);
  await writeProfileToCard(piv, profileOf(8000));
  await writeProfileToCard(piv, old);
  const start = card.state;
  let [sawOld, sawNew, cuts] = [0, 0, 0];
  const words: string[] = [];
  for (let saves = 0;; saves++) {
    card.state = start;
    card.reinsert();
    const writer = await selectPiv(card);
    assert.ok(writer);
    await administer(writer);
    card.cutPowerAtSave(saves);
    const next = profileOf(6500);
    const word = await writeProfileToCard(writer, next).catch((error) => {
      if (error instanceof WriteInDoubtError) return "in doubt";
      assert.ok(error instanceof CardGoneError);
      return "gone";
    });
    words.push(word);
    card.reinsert();
    const reader = await selectPiv(card);
    assert.ok(reader);
    const read = await readHead(reader);
    assert.ok(read.result === "ok");
    const isNew = read.carried.head.every((byte, index) => byte === next.head[index]);
    await assertCarries(reader, isNew ? next : old);
    if (isNew) sawNew++;
    else sawOld++;
    // Whoever hears that it failed finds the old profile, and that it is done, the new one.
    if (word !== "in doubt") assert.equal(isNew, word !== "gone", `${saves}: ${word}`);
    if (word === "whole") break;
    cuts++;
    // And what a cut left behind is in nobody's way.
    await administer(reader);
    const after = profileOf(20_000);
    await writeProfileToCard(reader, after);
    await assertCarries(reader, after);
  }
  // Three chunks and a head are written, then a head and three chunks removed.
  assert.deepEqual({ cuts, sawOld, sawNew }, { cuts: 8, sawOld: 4, sawNew: 5 });
  assert.deepEqual(words, [
    ...["gone", "gone", "gone", "in doubt", "untidied", "untidied", "untidied", "untidied"],
    "whole",
  ]);
});

Deno.test("a head that is cut or changed is damaged, and a later format is told apart", async () => {
  const { piv } = await makeSample();
  await writeProfileToCard(piv, profileOf(100));
  const head = await piv.getObject(0x5f4000);
  assert.ok(head);
  for (let length = 1; length < head.length; length += 13) {
    await piv.putObject(0x5f4000, head.subarray(0, length));
    assert.deepEqual(await readHead(piv), { result: "fault", fault: "damaged" }, `cut ${length}`);
  }
  for (let at = 0; at < head.length; at += 11) {
    const changed = head.slice();
    changed[at] = (changed[at] ?? 0) ^ 0x80;
    await piv.putObject(0x5f4000, changed);
    assert.equal((await readHead(piv)).result, "fault", `byte ${at}`);
  }
  const later = head.slice();
  later[4] = 2;
  await piv.putObject(0x5f4000, later);
  assert.deepEqual(await readHead(piv), { result: "fault", fault: "newer-version" });
});

Deno.test("chunks that are missing, swapped or changed are noticed", async () => {
  const { piv } = await makeSample();
  await writeProfileToCard(piv, profileOf(7000));
  const read = await readHead(piv);
  assert.ok(read.result === "ok");
  const chunk = await piv.getObject(0x5f4011);
  assert.ok(chunk);
  for (const wrong of [new Uint8Array(0), chunk.subarray(1), chunk.toReversed()]) {
    await piv.putObject(0x5f4011, wrong);
    assert.equal(await readSealed(piv, read.carried), undefined);
  }
  await piv.putObject(0x5f4011, chunk);
  assert.ok(await readSealed(piv, read.carried));
});

async function assertCarries(
  piv: Parameters<typeof readHead>[0],
  profile: { head: Uint8Array; sealed: Uint8Array },
): Promise<void> {
  const read = await readHead(piv);
  assert.ok(read.result === "ok");
  assert.deepEqual(read.carried.head, profile.head);
  assert.deepEqual(await readSealed(piv, read.carried), profile.sealed);
}
