import assert from "node:assert/strict";
import { questionCode, readCode } from "../../token/stored_value/code.ts";
import { decide, newAccount } from "../../token/stored_value/load_issuer.ts";
import { CARD_ID, MASTERS, newPurse, order, YEN } from "../../token/stored_value/test_purse.ts";
import { money, parseAmount } from "./money.ts";

Deno.test("purse page: a question carried as text gets the issuer's consent", async () => {
  const { client } = await newPurse();
  const read = readCode(questionCode(await client.askCredit(order(500, "A", 1))));
  assert.ok(read.is === "question");
  const { question } = read;
  assert.deepEqual(question.ask.cardId, CARD_ID);
  const account = newAccount({ currency: YEN, funds: 1_000 });
  const decided = decide(question, { masters: MASTERS, account });
  assert.ok(decided.outcome === "granted");
  await client.grant(question.purpose, decided.mac);
  assert.equal((await client.status())?.balance, 500);
});

Deno.test("purse page: amounts as people write them", () => {
  const table: [text: string, currency: number, amount: number | undefined][] = [
    ["1500", 392, 1500],
    [" 7 ", 392, 7],
    ["1.50", 978, 150],
    ["1.5", 978, 150],
    ["1.50", 392, undefined],
    ["1.505", 978, undefined],
    ["0", 392, undefined],
    ["-1", 392, undefined],
    ["1e3", 392, undefined],
    ["", 392, undefined],
    ["9999999999", 392, undefined],
  ];
  for (const [text, currency, amount] of table) {
    assert.equal(parseAmount(text, currency), amount, text);
  }
  assert.equal(money(150, 978, "en"), "€1.50");
  assert.match(money(1500, 392, "ja"), /1,500/);
  assert.equal(money(5, 999, "en"), "5 (999)");
});
