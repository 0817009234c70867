import assert from "node:assert/strict";
import fc from "fast-check";
import { answerCode, questionCode, readCode, receiptCode } from "./code.ts";
import { type Receipt, RECEIPT_KIND } from "./receipt.ts";
import { CARD_ID, newPurse, order } from "./test_purse.ts";
import { encodeQuestion } from "./wire.ts";

const ANSWER = { cardId: CARD_ID, transaction: 0xfedc_ba98, mac: new Uint8Array(16).fill(0x5a) };

Deno.test("questions, answers and receipts come back from their text", async () => {
  const { client } = await newPurse({});
  const question = await client.askCredit(order(500, "L", 1));
  assert.deepEqual(readCode(questionCode(question)), { is: "question", question });
  assert.deepEqual(readCode(answerCode(ANSWER)), { is: "answer", answer: ANSWER });
  const receipt: Receipt = {
    ...{
      kind: RECEIPT_KIND.debit,
      cardId: CARD_ID,
      currency: 392,
      transaction: 2,
      amount: 3,
      balance: 4,
    },
    ...{ party: CARD_ID, reference: CARD_ID, time: 5, merchantMac: ANSWER.mac },
    settlementMac: ANSWER.mac,
  };
  assert.deepEqual(readCode(receiptCode(receipt)), { is: "receipt", receipt });
});

Deno.test("as people write them: without hyphens, in small letters, O for 0 and l for 1", () => {
  const text = answerCode(ANSWER);
  assert.match(text, /^([0-9A-HJKMNP-TV-Z]{5}-){9}[0-9A-HJKMNP-TV-Z]{5}$/);
  const read = { is: "answer", answer: ANSWER };
  const written = text.toLowerCase().replaceAll("-", " ").replaceAll("0", "o").replaceAll("1", "l");
  assert.deepEqual(readCode(`  ${written}\n`), read);
  assert.deepEqual(readCode(text.replaceAll("-", "")), read);
});

Deno.test("a text that is cut, mistyped, swapped or something else is nothing", async () => {
  const text = answerCode(ANSWER);
  for (let length = 0; length < text.length; length++) {
    assert.equal(readCode(text.slice(0, length)).is, "nothing", `cut to ${length}`);
  }
  const plain = text.replaceAll("-", "");
  for (let at = 0; at < plain.length; at++) {
    const other = plain[at] === "7" ? "8" : "7";
    assert.equal(readCode(plain.slice(0, at) + other + plain.slice(at + 1)).is, "nothing");
  }
  const swapped = plain.slice(0, 3) + plain[4] + plain[3] + plain.slice(5);
  assert.equal(readCode(swapped === plain ? "" : swapped).is, "nothing");
  const { client } = await newPurse({});
  const old = encodeQuestion(await client.askCredit(order(5, "L", 1)))
    .toBase64({ alphabet: "base64url" });
  for (const bad of [`${text}00`, "U", "-", old, "0".repeat(3_000), "hello", "日本"]) {
    assert.equal(readCode(bad).is, "nothing", bad.slice(0, 20));
  }
});

Deno.test("no text makes the reader throw", () => {
  fc.assert(fc.property(fc.string({ maxLength: 300 }), (text) => {
    assert.ok(readCode(text).is.length > 0);
  }));
});
