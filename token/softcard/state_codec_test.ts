import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { sha256 } from "@noble/hashes/sha2.js";
import fc from "fast-check";
import { newPurse, order } from "../stored_value/test_purse.ts";
import { decodeState, encodeState, isDamage } from "./state_codec.ts";
import { cheapCard, TestCard } from "./test_card.ts";
import { encodeOrder } from "../stored_value/wire.ts";

Deno.test("a state comes back as it was", () => {
  const card = new TestCard(cheapCard({ globalPin: "777777" }));
  card.beAdministrator();
  card.generate(0x9d, 0xe1);
  card.generate(0x9e, 0x11);
  card.put(0x5f4000, new Uint8Array(3000).fill(5));
  card.put(0x5fc103, Uint8Array.of(1, 2, 3));
  assert.deepEqual(decodeState(encodeState(card.card.state)), card.card.state);
});

Deno.test("a file of version 1, from before there were other applications, is read", () => {
  const { openPgp: _none, ...old } = cheapCard();
  const text = new TextDecoder().decode(encodeState(old));
  assert.match(text, /^sekisho-softcard 2 /);
  const file = new TextEncoder().encode(text.replace("softcard 2", "softcard 1"));
  assert.deepEqual(decodeState(file), old);
});

Deno.test("a purse comes back as it was, and books that don't balance are damage", async () => {
  const { card, client } = await newPurse();
  await client.askCredit(order(5, "L", 1));
  assert.deepEqual(decodeState(encodeState(card.state)), card.state, "with its question");
  await client.askClose();
  const { state } = card;
  assert.deepEqual(decodeState(encodeState(state)), state);
  const { purse } = state;
  assert.ok(purse);
  const numbers = { transaction: 1, balance: 0 };
  const asked = {
    ...numbers,
    payload: encodeOrder(order(5, "L", 1)),
    challenge: new Uint8Array(16),
  };
  for (
    const change of [
      { balance: 1 },
      { credited: 5 },
      { debited: 5, credited: 4 },
      { balance: 2 ** 32, credited: 2 ** 32 },
      { withoutPin: -1 },
      { asked: { ...asked, payload: new Uint8Array(3) } },
      { asked: { ...asked, challenge: new Uint8Array(3) } },
    ]
  ) {
    const forged = { ...state, purse: { ...purse, ...change } };
    assert.ok(isDamage(decodeState(encodeState(forged))), JSON.stringify(change));
  }
});

Deno.test("a file cut at any byte is known as damaged", () => {
  const file = encodeState(cheapCard());
  for (let length = 0; length < file.length; length++) {
    const read = decodeState(file.subarray(0, length));
    assert.ok(isDamage(read), `cut to ${length}`);
  }
});

Deno.test("a file with any byte changed is never taken for a state", () => {
  const file = encodeState(cheapCard());
  fc.assert(
    fc.property(fc.nat({ max: file.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, x) => {
      const changed = file.slice();
      changed[at] = (changed[at] ?? 0) ^ x;
      assert.ok(isDamage(decodeState(changed)));
    }),
  );
});

Deno.test("other files, newer files and files of a wrong shape are told apart", () => {
  const kind = (text: string) => {
    const read = decodeState(Buffer.from(text));
    return isDamage(read) ? read.kind : "state";
  };
  const zeros = "0".repeat(64);
  assert.equal(kind(""), "not-a-card");
  assert.equal(kind("#!/bin/sh\n"), "not-a-card");
  assert.equal(kind("sekisho-softcard one\n{}"), "damaged");
  assert.equal(kind(`sekisho-softcard 3 ${zeros}\n{}`), "newer");
  const sum = Buffer.from(sha256(Buffer.from("{}"))).toString("hex");
  assert.equal(kind(`sekisho-softcard 1 ${sum}\n{}`), "damaged");
  fc.assert(fc.property(fc.uint8Array(), (bytes) => isDamage(decodeState(bytes))));
});
