import assert from "node:assert/strict";
import { SW } from "../apdu/status.ts";
import { CardGarbledError, CardGoneError } from "../apdu/channel.ts";
import { encodeState } from "../softcard/state_codec.ts";
import { MerchantBackOffice, Settlement } from "./back_office.ts";
import { StoredValueClient } from "./client.ts";
import { type PurseRefusal, PurseRefusedError } from "./client_errors.ts";
import { decide, isDone, newAccount } from "./load_issuer.ts";
import type { Receipt } from "./receipt.ts";
import {
  CARD_ID,
  digits,
  LIMITS,
  MASTERS,
  newPurse,
  order,
  partyId,
  PIN,
  PurseInProcess,
  YEN,
} from "./test_purse.ts";
import { LOG_LENGTH, PURPOSE } from "./wire.ts";

Deno.test("a card without a purse says so; installing makes one, once", async () => {
  const card = new PurseInProcess();
  card.insert();
  const client = new StoredValueClient(card);
  assert.ok(await client.select());
  assert.equal(await client.status(), undefined);
  const { client: installed } = await newPurse();
  assert.deepEqual(await installed.status(), {
    cardId: CARD_ID,
    currency: YEN,
    balance: 0,
    limits: LIMITS,
    withoutPinLeft: LIMITS.withoutPinTotal,
    transactions: 0,
    credits: 0,
    pinTries: 3,
    isVerified: false,
    isClosed: false,
  });
  const again = { cardId: CARD_ID, currency: YEN, limits: LIMITS, keys: MASTERS };
  await refused("nothing-asked", () => installed.install(again));
});

Deno.test("top up, pay, and the receipts are worth their money once", async () => {
  const { client } = await newPurse();
  await topUp(client, 10_000);
  const receipt = await client.debit(order(1_200, "A", 1));
  assert.equal(receipt.balance, 8_800);
  assert.equal((await client.status())?.balance, 8_800);
  const settlement = new Settlement(MASTERS);
  const office = backOffice(settlement, "A");
  assert.equal(office.accept(receipt), "accepted");
  assert.equal(office.accept(receipt), "duplicate");
  assert.equal(settlement.accept(receipt), "accepted");
  assert.equal(settlement.accept(receipt), "duplicate");
  assert.deepEqual([office.turnover, settlement.owedTo(partyId("A"), YEN)], [1_200, 1_200]);
  assert.equal(backOffice(settlement, "B").accept(receipt), "forged", "another merchant's");
});

Deno.test("a receipt with any field changed is forged, for the merchant and for the issuer", async () => {
  const { client } = await newPurse();
  await topUp(client, 10_000);
  const receipt = await client.debit(order(1_000, "A", 1));
  const changes: Partial<Receipt>[] = [
    { amount: 9_000 },
    { balance: 9_999 },
    { transaction: 99 },
    { cardId: new Uint8Array(8) },
    { currency: 840 },
    { reference: new Uint8Array(8) },
    { time: 0 },
    { merchantMac: new Uint8Array(16) },
  ];
  const settlement = new Settlement(MASTERS);
  for (const change of changes) {
    const other = { ...receipt, ...change };
    assert.equal(backOffice(settlement, "A").accept(other), "forged", Object.keys(change).join());
    assert.equal(settlement.accept(other), "forged", Object.keys(change).join());
  }
  assert.equal(settlement.accept({ ...receipt, settlementMac: new Uint8Array(16) }), "forged");
  assert.equal(settlement.accept({ ...receipt, party: partyId("B") }), "forged");
});

Deno.test("a card that was copied is known by two receipts of one number", async () => {
  const { card, client } = await newPurse();
  await topUp(client, 10_000);
  const copied = card.state;
  const first = await client.debit(order(1_000, "A", 1));
  card.state = copied;
  card.insert();
  await client.select();
  const second = await client.debit(order(2_000, "A", 2));
  const seen = new Map<string, Uint8Array>();
  assert.equal(new Settlement(MASTERS, { seen }).accept(first), "accepted");
  assert.equal(
    new Settlement(MASTERS, { seen }).accept(first),
    "duplicate",
    "also after a restart",
  );
  assert.equal(new Settlement(MASTERS, { seen }).accept(second), "conflict");
});

Deno.test("what a purse refuses, and why", async () => {
  const { client } = await newPurse();
  await topUp(client, 10_000);
  const pay = (amount: number, reference = 7) => () => client.debit(order(amount, "A", reference));
  await refused("malformed", pay(0));
  await refused("over-limit", pay(20_001));
  await refused("insufficient-balance", pay(10_001));
  await refused("pin-needed", pay(3_001));
  await refused("other-currency", () => client.debit({ ...order(1, "A", 7), currency: 840 }));
  await client.debit(order(10, "A", 1));
  await refused("reference-used", pay(11, 1));
  await refused("over-limit", () => client.askCredit(order(40_011, "L", 9)));
  await refused("malformed", () => client.askCredit(order(0, "L", 9)));
  await refused("nothing-asked", () => client.grant(PURPOSE.credit, new Uint8Array(16)));
  await client.askCredit(order(5, "L", 9));
  await refused("wrong-mac", () => client.grant(PURPOSE.credit, new Uint8Array(16)));
  assert.equal((await client.status())?.balance, 9_990);
});

Deno.test("a credit waits for its consent over cuts, payments and mistyped ones, and comes once", async () => {
  const { card, client } = await newPurse();
  await topUp(client, 1_000);
  const ask = await client.askCredit(order(500, "L", 9));
  const account = { ...newAccount({ currency: YEN, funds: 500 }), credits: 1 };
  const consent = decide(ask, { masters: MASTERS, account });
  assert.ok(consent.outcome === "granted");
  card.pull();
  card.insert();
  await client.select();
  assert.deepEqual(await client.question(), ask, "it can be carried once more");
  const repeated = decide(ask, { masters: MASTERS, account: consent.account });
  assert.ok(repeated.outcome === "refused" && repeated.reason === "stale", "and is no other one");
  await client.debit(order(700, "A", 1));
  await refused("wrong-mac", () => client.grant(PURPOSE.credit, new Uint8Array(16)));
  await client.grant(PURPOSE.credit, consent.mac);
  assert.equal((await client.status())?.balance, 800);
  assert.equal(await client.question(), undefined);
  await refused("nothing-asked", () => client.grant(PURPOSE.credit, consent.mac));

  const second = await client.askCredit(order(500, "L", 10));
  await client.askLimits(LIMITS);
  assert.equal(await client.question(), undefined, "whatever is asked takes its place");
  const late = decide(second, { masters: MASTERS, account: { ...account, credits: 2 } });
  assert.ok(late.outcome === "granted");
  await refused("wrong-mac", () => client.grant(PURPOSE.credit, late.mac));
});

Deno.test("a new PIN that is asked for is not in the card's memory as it is", async () => {
  const { card, client } = await newPurse();
  await client.askUnblock(digits("86428642"));
  const file = new TextDecoder("latin1").decode(encodeState(card.state));
  assert.ok(file.includes("sekisho-softcard"));
  for (const form of ["86428642", btoa("86428642").replace(/=+$/, ""), "3836343238363432"]) {
    assert.ok(!file.includes(form), form);
  }
});

Deno.test("the same order again gives the same receipt and takes nothing, also after a cut", async () => {
  const { card, client } = await newPurse();
  await topUp(client, 10_000);
  card.cutPower({ at: "answer" });
  await assert.rejects(client.debit(order(900, "A", 1)), CardGoneError);
  card.insert();
  await client.select();
  const again = await client.debit({ ...order(900, "A", 1), time: 5 });
  assert.deepEqual(again, await client.receipt(partyId("A"), order(0, "A", 1).reference));
  assert.equal(again.time, 1_800_000_000, "the first one's");
  assert.equal((await client.status())?.balance, 9_100);
});

Deno.test("PIN: above the limits, for one debit; small ones add up to a large one", async () => {
  const { client } = await newPurse();
  await topUp(client, 30_000);
  await client.debit(order(3_000, "A", 1));
  await client.debit(order(2_000, "A", 2));
  await refused("pin-needed", () => client.debit(order(1, "A", 3)));
  assert.deepEqual(await client.verify(digits("1111")), { outcome: "wrong", triesLeft: 2 });
  assert.deepEqual(await client.verify(digits("12")), { outcome: "malformed" });
  assert.deepEqual(await client.verify(PIN), { outcome: "ok" });
  await client.debit(order(15_000, "A", 3));
  await refused("pin-needed", () => client.debit(order(3_001, "A", 4)));
  await client.debit(order(3_000, "A", 4));
});

Deno.test("a PIN of its own: changed, blocked, and unblocked by the issuer only", async () => {
  const { client } = await newPurse();
  assert.deepEqual(await client.changePin(PIN, digits("13579")), { outcome: "ok" });
  for (const left of [2, 1]) {
    assert.deepEqual(await client.verify(PIN), { outcome: "wrong", triesLeft: left });
  }
  assert.deepEqual(await client.changePin(PIN, digits("0000")), { outcome: "blocked" });
  assert.deepEqual(await client.verify(digits("13579")), { outcome: "blocked" });
  assert.equal((await client.status())?.pinTries, 0);
  const question = await client.askUnblock(digits("4321"));
  const account = newAccount({ currency: YEN, funds: 0 });
  assert.equal(decide(question, { masters: MASTERS, account }).outcome, "refused");
  const consent = decide(question, { masters: MASTERS, account, isAllowed: () => true });
  assert.ok(consent.outcome === "granted");
  const word = await client.grant(PURPOSE.unblock, consent.mac);
  assert.ok(word instanceof Uint8Array && isDone(word, { question, masters: MASTERS }));
  assert.ok(!isDone(new Uint8Array(16), { question, masters: MASTERS }));
  assert.deepEqual(await client.verify(digits("4321")), { outcome: "ok" });
});

Deno.test("without a PIN nothing above its limits is paid, and the log is open", async () => {
  const { client } = await newPurse({});
  await topUp(client, 10_000);
  assert.deepEqual(await client.verify(PIN), { outcome: "none" });
  await refused("pin-needed", () => client.debit(order(3_001, "A", 1)));
  await client.debit(order(3_000, "A", 1));
  assert.equal((await client.log()).length, 2);
});

Deno.test("the log: newest first, bounded, and nobody's business without the PIN", async () => {
  const { client } = await newPurse({
    pin: PIN,
    limits: { ...LIMITS, withoutPinTotal: LIMITS.balance },
  });
  await topUp(client, 10_000);
  for (let reference = 1; reference <= LOG_LENGTH + 3; reference++) {
    await client.debit(order(10, "A", reference));
  }
  await refused("pin-needed", () => client.log());
  await client.verify(PIN);
  const log = await client.log();
  assert.equal(log.length, LOG_LENGTH);
  assert.equal(log[0]?.reference[0], LOG_LENGTH + 3);
  const gone = await client.receipt(partyId("A"), order(0, "A", 1).reference);
  assert.equal(gone, undefined);
});

Deno.test("new limits by consent; closing pays out what is left, for ever", async () => {
  const { client } = await newPurse();
  const account = await topUp(client, 10_000);
  const settlement = new Settlement(MASTERS);
  const limits = { ...LIMITS, debit: 100 };
  const first = decide(await client.askLimits(limits), known());
  assert.ok(first.outcome === "granted");
  await client.grant(PURPOSE.limits, first.mac);
  await refused("over-limit", () => client.debit(order(101, "A", 1)));
  const closing = decide(await client.askClose(), { ...known(), account: first.account });
  assert.ok(closing.outcome === "granted");
  const receipt = await client.grant(PURPOSE.close, closing.mac);
  assert.ok(!(receipt instanceof Uint8Array));
  assert.equal(settlement.accept(receipt), "accepted");
  assert.equal(settlement.owedToHolders, 10_000);
  const status = await client.status();
  assert.deepEqual([status?.balance, status?.isClosed], [0, true]);
  await refused("closed", () => client.debit(order(1, "A", 1)));
  await refused("closed", () => client.askCredit(order(1, "L", 2)));

  function known() {
    return { masters: MASTERS, account, isAllowed: () => true };
  }
});

Deno.test("a card that lies about its answers is told apart from a refusal", async () => {
  for (const answer of [[0x90, 0x00], [1, 2, 3, 0x90, 0x00]]) {
    const client = new StoredValueClient({
      transmit: () => Promise.resolve(Uint8Array.from(answer)),
    });
    await assert.rejects(client.status(), CardGarbledError);
    await assert.rejects(client.debit(order(1, "A", 1)), CardGarbledError);
    await assert.rejects(client.askClose(), CardGarbledError);
  }
  const odd = new StoredValueClient({ transmit: () => Promise.resolve(Uint8Array.of(0x6f, 0x42)) });
  await assert.rejects(
    odd.debit(order(1, "A", 1)),
    (error) => error instanceof PurseRefusedError && error.sw === 0x6f42 && /6F42/.test(`${error}`),
  );
  const none = new StoredValueClient({
    transmit: () => Promise.resolve(Uint8Array.of(SW.FILE_NOT_FOUND >> 8, 0x82)),
  });
  assert.equal(await none.select(), false);
});

/** Brings money onto the purse; the account afterwards. */
async function topUp(client: StoredValueClient, amount: number) {
  const account = newAccount({ currency: YEN, funds: 100_000 });
  const question = await client.askCredit(order(amount, "L", 1));
  const consent = decide(question, { masters: MASTERS, account });
  assert.ok(consent.outcome === "granted");
  const receipt = await client.grant(PURPOSE.credit, consent.mac);
  assert.ok(!(receipt instanceof Uint8Array) && receipt.amount === amount);
  return consent.account;
}

function backOffice(settlement: Settlement, letter: string): MerchantBackOffice {
  const party = partyId(letter);
  return new MerchantBackOffice({
    party,
    keyOf: (cardId) => settlement.merchantKey(cardId, party),
  });
}

async function refused(reason: PurseRefusal, run: () => Promise<unknown>): Promise<void> {
  await assert.rejects(run(), (error) => {
    assert.ok(error instanceof PurseRefusedError, String(error));
    assert.equal(error.reason, reason, error.message);
    assert.match(error.message, /^Cannot /);
    return true;
  });
}
