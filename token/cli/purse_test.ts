/** The issuer's station against purses, terminals and people who would like more money. */
import assert from "node:assert/strict";
import { answerCode, questionCode, readCode, receiptCode } from "../stored_value/code.ts";
import { decodePurseIssuer, encodePurseIssuer } from "../stored_value/issuer_file.ts";
import { newAccount } from "../stored_value/load_issuer.ts";
import type { Receipt } from "../stored_value/receipt.ts";
import {
  CARD_ID,
  digits,
  MASTERS,
  newPurse,
  order,
  PIN,
  PurseInProcess,
  YEN,
} from "../stored_value/test_purse.ts";
import { StoredValueClient } from "../stored_value/client.ts";
import { purse } from "./purse.ts";

const FUNDS = 20_000;
/** Of top-ups whose reference is of no interest; those of tests are below. */
let nextReference = 100;

/** What a command printed, or the message that it failed with. */
interface Said {
  readonly out: string[];
  readonly error?: string;
}

class Station implements AsyncDisposable {
  readonly dir: string;
  readonly issuer: string;

  private constructor(dir: string) {
    this.dir = dir;
    this.issuer = `${dir}/issuer`;
  }

  static async open(masters = MASTERS): Promise<Station> {
    const station = new Station(await Deno.makeTempDir({ prefix: "purse-station-" }));
    const account = newAccount({ currency: YEN, funds: FUNDS, mostBalance: 50_000 });
    const accounts = new Map([[CARD_ID.toHex(), account]]);
    await Deno.writeTextFile(station.issuer, encodePurseIssuer({ masters, accounts }));
    return station;
  }

  async run(...args: string[]): Promise<Said> {
    const { out, errors: [error] } = await this.runTogether([args]);
    return error === undefined ? { out } : { out, error };
  }

  /** Several at once; what they printed together, and what they failed with. */
  async runTogether(
    commands: readonly string[][],
  ): Promise<{ out: string[]; errors: string[] }> {
    const out: string[] = [];
    const { log, error } = console;
    console.log = (line: string) => out.push(...line.split("\n"));
    console.error = () => {};
    try {
      const ends = await Promise.allSettled(
        commands.map((args) => purse([...args, "--issuer", this.issuer])),
      );
      const errors = ends.flatMap((end) =>
        end.status === "rejected" ? [messageOf(end.reason)] : []
      );
      return { out, errors };
    } finally {
      Object.assign(console, { log, error });
    }
  }

  funds(): number {
    const issuer = decodePurseIssuer(Deno.readTextFileSync(this.issuer));
    return issuer?.accounts.get(CARD_ID.toHex())?.funds ?? NaN;
  }

  /** Writes receipts to a file, one in a line. */
  async write(name: string, receipts: readonly Receipt[]): Promise<string> {
    const path = `${this.dir}/${name}`;
    await Deno.writeTextFile(path, receipts.map((one) => `${receiptCode(one)}\n`).join(""));
    return path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.dir, { recursive: true });
  }
}

/** Asks, has it answered, brings the answer. */
async function topUp(station: Station, client: StoredValueClient, amount: number): Promise<void> {
  const question = await client.askCredit(order(amount, "L", nextReference++));
  const { out, error } = await station.run("answer", questionCode(question));
  assert.equal(error, undefined);
  const code = readCode(out[0] ?? "");
  assert.ok(code.is === "answer");
  assert.deepEqual(code.answer.cardId, CARD_ID);
  await client.grant(question.purpose, code.answer.mac);
}

Deno.test("purse answer: a question gets one answer, ever, and the money is counted once", async () => {
  await using station = await Station.open();
  const { card, client } = await newPurse();
  const balance = () => card.state.purse?.balance ?? NaN;
  const question = questionCode(await client.askCredit(order(8_000, "L", 1)));
  const copy = await Deno.readTextFile(station.issuer);
  const { out, errors } = await station.runTogether([
    ["answer", question],
    ["answer", ...question.toLowerCase().split("-")],
  ]);
  assert.equal(out.length, 1, "one answer");
  assert.equal(errors.length, 1);
  assert.match(errors[0] ?? "", /another command has it|was answered at/);
  assert.match((await station.run("answer", question)).error ?? "", /was answered at 2\d{3}-/);
  assert.equal(station.funds(), FUNDS - 8_000);
  const code = readCode(out[0] ?? "");
  assert.ok(code.is === "answer");
  await client.grant(1, code.answer.mac);
  await assert.rejects(client.grant(1, code.answer.mac));
  assert.equal(balance() + station.funds(), FUNDS);

  const now = await Deno.readTextFile(station.issuer);
  await Deno.writeTextFile(station.issuer, copy);
  assert.match((await station.run("answer", question)).error ?? "", /it is an older copy/);
  assert.match((await station.run("accounts")).error ?? "", /it is an older copy/);
  await Deno.writeTextFile(station.issuer, now);

  await topUp(station, client, 2_000);
  assert.equal(balance() + station.funds(), FUNDS);
});

Deno.test("purse answer: ended between account and journal, nobody gets money for it", async () => {
  await using station = await Station.open();
  const { card, client } = await newPurse();
  const question = questionCode(await client.askCredit(order(8_000, "L", 1)));
  await station.run("answer", question);
  for (const keep of [0, 20]) {
    await Deno.truncate(`${station.issuer}.journal`, keep);
    assert.match((await station.run("answer", question)).error ?? "", /ask it anew/);
    assert.equal((await Deno.stat(`${station.issuer}.journal`)).size, 0, "half a line is none");
  }
  await topUp(station, client, 500);
  assert.equal((card.state.purse?.balance ?? NaN) + station.funds(), FUNDS, "8,000 came back");
});

Deno.test("purse answer: what is refused, and why", async () => {
  await using station = await Station.open();
  const { client } = await newPurse();
  const says = async (text: string, reason: RegExp, ...more: string[]) => {
    const { out, error } = await station.run("answer", text, ...more);
    assert.deepEqual(out, []);
    assert.match(error ?? "", reason);
  };
  const first = await client.askCredit(order(500, "L", 1));
  const question = await client.askCredit(order(600, "L", 2));
  const text = questionCode(question);
  await says(text.slice(0, -1), /missing or mistyped/);
  await says("hello", /no question of a purse/);
  const { ask, payload } = question;
  await says(answerCode({ ...ask, mac: ask.mac }), /this is an answer; a question is needed/);
  const raised = payload.slice();
  raised[2] = 0xff;
  await says(questionCode({ ...question, payload: raised }), /changed on the way/);
  await says(questionCode({ ...question, ask: { ...ask, credits: 1 } }), /changed on the way/);
  const stranger = { ...ask, cardId: new Uint8Array(8) };
  await says(questionCode({ ...question, ask: stranger }), /no account/);
  await says(text, /above the limit/, "--most-credit", "599");
  await says(text, /ask it anew/, "--most-credit", "600");
  assert.equal(station.funds(), FUNDS);

  const third = await client.askCredit(order(600, "L", 3));
  assert.equal((await station.run("answer", questionCode(third))).error, undefined);
  await says(questionCode(first), /has asked for something else since/);
  await says(questionCode(await client.askCredit(order(20_001, "L", 4))), /too little/);
  assert.equal(station.funds(), FUNDS, "the one before never arrived");
  await says(questionCode(await client.askUnblock(digits("1111"))), /do it with the card, here/);
  await says(questionCode(await client.askClose()), /do it with the card, here/);
  await using other = await Station.open({ ...MASTERS, load: new Uint8Array(32) });
  assert.match((await other.run("answer", text)).error ?? "", /use the file of its issuer/);
});

Deno.test("purse fund: what a holder brings can be asked for", async () => {
  await using station = await Station.open();
  const { client } = await newPurse();
  const ask = async () => questionCode(await client.askCredit(order(21_000, "L", 1)));
  assert.match((await station.run("answer", await ask())).error ?? "", /see token purse fund/);
  const { out } = await station.run("fund", CARD_ID.toHex(), "1000");
  assert.deepEqual(out, [`${CARD_ID.toHex()}: 21000 (currency 392)`]);
  assert.match((await station.run("fund", "00", "1")).error ?? "", /no such account/);
  assert.equal((await station.run("answer", await ask())).error, undefined);
  const { out: listed } = await station.run("accounts");
  assert.deepEqual(listed, [
    `${CARD_ID.toHex()}: 0 (currency 392), 21000 on its way to the card`,
  ]);
});

Deno.test("purse settle: each payment counts once, whoever brings it and however often", async () => {
  await using station = await Station.open();
  const { card, client } = await newPurse();
  await topUp(station, client, 10_000);
  const copy = card.state;
  const paid = [
    await client.debit(order(1_000, "A", 1)),
    await client.debit(order(200, "A", 2)),
    await client.debit(order(30, "B", 1)),
  ];
  const [first, second, third] = paid;
  assert.ok(first && second && third);
  const twin = new PurseInProcess();
  twin.state = copy;
  twin.insert();
  const copied = new StoredValueClient(twin);
  await copied.select();
  const doubled = await copied.debit(order(900, "A", 7));
  await client.verify(PIN);
  const credit = (await client.log()).find(({ kind }) => kind === 2);
  assert.ok(credit);

  const monday = await station.write("monday", [first, third, first]);
  const { out, error } = await station.run("settle", monday);
  assert.equal(error, undefined);
  assert.deepEqual(out, [
    `${monday}, receipt 3: seen before; it counts once`,
    `${"41".repeat(8)}: 1000 by 1 new receipts; 1000 by 1 in all (currency 392)`,
    `${"42".repeat(8)}: 30 by 1 new receipts; 30 by 1 in all (currency 392)`,
    "2 new, 1 seen before, 0 refused",
  ]);

  const bad = [
    { ...second, amount: 20_000 },
    { ...second, party: third.party },
    { ...second, transaction: second.transaction + 9 },
    { ...second, currency: 840 },
    doubled,
    credit,
  ];
  const tuesday = await station.write("tuesday", [...bad, first, second, third]);
  await Deno.writeTextFile(tuesday, "what is this\n", { append: true });
  const next = await station.run("settle", tuesday);
  assert.match(next.error ?? "", /^Cannot settle 7 of the receipts/);
  const verdicts = [
    ...new Array(4).fill("refused: forged; no card of this issuer made it"),
    "refused: the card made another one with this number; the card was copied",
    "refused: not a receipt of a payment",
    "seen before; it counts once",
  ];
  for (const [index, verdict] of verdicts.entries()) {
    assert.equal(next.out[index], `${tuesday}, receipt ${index + 1}: ${verdict}`);
  }
  assert.match(next.out[7] ?? "", /receipt 9: seen before/);
  assert.match(next.out[8] ?? "", /receipt 10: refused: no receipt, or a part is missing/);
  assert.deepEqual(next.out.slice(9), [
    `${"41".repeat(8)}: 200 by 1 new receipts; 1200 by 2 in all (currency 392)`,
    `${"42".repeat(8)}: 0 by 0 new receipts; 30 by 1 in all (currency 392)`,
    "1 new, 2 seen before, 7 refused",
  ]);
  // A copy that spends under numbers of its own: no more than was put on the card is ever owed.
  for (let number = 0; number < 6; number++) await copied.askCredit(order(1, "L", 80 + number));
  await copied.verify(PIN);
  const rest = await copied.debit(order(8_771, "A", 8));
  const honest = await client.debit(order(770, "A", 9));
  const wednesday = await station.run("settle", await station.write("wednesday", [rest, honest]));
  assert.match(wednesday.out[0] ?? "", /1: refused: more than was ever put on the card/);
  assert.match(wednesday.out[1] ?? "", /770 by 1 new receipts; 1970 by 3 in all/);
  const debited = (card.state.purse?.debited ?? NaN) - honest.amount;
  assert.equal(debited, 1_230, "what is owed is what was paid");
});

Deno.test("the station's journal: no key and no PIN is in it, and only its owner reads it", async () => {
  await using station = await Station.open();
  const { client } = await newPurse();
  await topUp(station, client, 4_000);
  await station.run("settle", await station.write("one", [await client.debit(order(5, "A", 1))]));
  const path = `${station.issuer}.journal`;
  const journal = await Deno.readTextFile(path);
  assert.equal(journal.trim().split("\n").length, 2);
  for (const key of Object.values(MASTERS)) {
    assert.ok(!journal.includes(key.toHex()) && !journal.includes(key.toBase64()));
  }
  assert.ok(!journal.includes("2468"));
  assert.equal(((await Deno.stat(path)).mode ?? 0) & 0o777, 0o600);
  const damaged = journal.replace('"receipt"', '"receipts"');
  await Deno.writeTextFile(path, damaged);
  assert.match((await station.run("accounts")).error ?? "", /line 2 is damaged/);
});

function messageOf(reason: unknown): string {
  assert.ok(reason instanceof Error);
  return reason.message;
}
