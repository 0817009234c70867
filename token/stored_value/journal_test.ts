import assert from "node:assert/strict";
import { decodeEntry, encodeEntry, JournalBook, type JournalEntry } from "./journal.ts";
import { type CardAccount, decide, newAccount, refund } from "./load_issuer.ts";
import { CARD_ID, MASTERS, newPurse, order, YEN } from "./test_purse.ts";

const CARD = CARD_ID.toHex();
const ANSWER: JournalEntry & { is: "answer" } = {
  ...{ is: "answer", at: 1_800_000_000, card: CARD, transaction: 3 },
  ...{ purpose: "credit", amount: 500 },
};

async function receipts(): Promise<(JournalEntry & { is: "receipt" })[]> {
  const { client } = await newPurse();
  const account = newAccount({ currency: YEN, funds: 9_000 });
  const question = await client.askCredit(order(9_000, "L", 9));
  const consent = decide(question, { masters: MASTERS, account });
  assert.ok(consent.outcome === "granted");
  await client.grant(question.purpose, consent.mac);
  const paid = [await client.debit(order(100, "A", 1)), await client.debit(order(20, "B", 1))];
  return paid.map((receipt) => ({ is: "receipt", at: 1, receipt }));
}

function book(account: Partial<CardAccount>, entries: readonly JournalEntry[]) {
  const known = { ...newAccount({ currency: YEN, funds: 0 }), ...account };
  return JournalBook.read({ masters: MASTERS, accounts: new Map([[CARD, known]]) }, entries);
}

Deno.test("entries come back from their lines, and no other line is one", async () => {
  for (const entry of [ANSWER, ...await receipts()]) {
    assert.deepEqual(decodeEntry(encodeEntry(entry)), entry);
    assert.ok(!encodeEntry(entry).includes("\n"));
    const line = encodeEntry(entry);
    assert.equal(decodeEntry(line.slice(0, -1)), undefined);
  }
  for (
    const bad of [
      ...["", "{}", "null", '{"is":"other"}', '{"is":"receipt","at":1,"receipt":"00"}'],
      encodeEntry({ ...ANSWER, at: -1 }),
      encodeEntry({ ...ANSWER, card: "zz" }),
    ]
  ) assert.equal(decodeEntry(bad), undefined, bad);
});

Deno.test("a journal remembers answers and what is owed, by merchant", async () => {
  const read = book({ transaction: 3 }, [ANSWER, ...await receipts()]);
  assert.ok(read instanceof JournalBook);
  const { client } = await newPurse();
  const question = await client.askCredit(order(1, "L", 1));
  const asked = (transaction: number) => ({ ...question, ask: { ...question.ask, transaction } });
  assert.deepEqual(read.answerTo(asked(3)), ANSWER);
  assert.equal(read.answerTo(asked(4)), undefined);
  assert.deepEqual(read.settlement.owed.map(({ amount }) => amount), [100, 20]);
});

Deno.test("a journal that was added to, or accounts that are an older copy, are known", async () => {
  const [first, second] = await receipts();
  assert.ok(first && second);
  const raised = { ...first, receipt: { ...first.receipt, amount: 999 } };
  const table: [Partial<CardAccount>, readonly JournalEntry[], unknown][] = [
    [{}, [second, first, second], { fault: "not-settled", line: 3 }],
    [{}, [second, raised], { fault: "not-settled", line: 2 }],
    [{ transaction: 2 }, [ANSWER], { fault: "older-accounts", line: 1 }],
    [{ transaction: 9 }, [{ ...ANSWER, card: "0".repeat(16) }], {
      fault: "older-accounts",
      line: 1,
    }],
  ];
  for (const [account, entries, fault] of table) assert.deepEqual(book(account, entries), fault);
});

Deno.test("limits of the issuer's: of one credit, and of the balance that a card was given", async () => {
  const { client } = await newPurse();
  const account = newAccount({ currency: YEN, funds: 90_000, mostBalance: 40_000 });
  const ask = async (amount: number, mostCredit?: number) => {
    const question = await client.askCredit(order(amount, "L", 1));
    return decide(question, {
      masters: MASTERS,
      account,
      ...(mostCredit === undefined ? {} : { mostCredit }),
    });
  };
  const outcomes = [await ask(40_000), await ask(40_001), await ask(500, 500), await ask(501, 500)];
  assert.deepEqual(outcomes.map((one) => one.outcome === "refused" ? one.reason : "granted"), [
    ...["granted", "over-limit", "granted", "over-limit"],
  ]);
});

Deno.test("what was left on a closed purse comes back once", () => {
  const account = newAccount({ currency: YEN, funds: 100 });
  const after = refund(account, { transaction: 7, amount: 50 });
  assert.deepEqual([after.funds, after.isClosed], [150, true]);
  assert.equal(refund(after, { transaction: 7, amount: 50 }), after);
});
