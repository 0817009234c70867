/** No order of commands, copies, forgeries, cuts and terminals makes money or loses it. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { CardGoneError } from "../apdu/channel.ts";
import { MerchantBackOffice, Settlement } from "./back_office.ts";
import type { Question, StoredValueClient } from "./client.ts";
import { PurseRefusedError } from "./client_errors.ts";
import { type CardAccount, decide, newAccount } from "./load_issuer.ts";
import type { Receipt } from "./receipt.ts";
import {
  type Cut,
  digits,
  LIMITS,
  MASTERS,
  newPurse,
  order,
  partyId,
  PIN,
  type PurseInProcess,
  YEN,
} from "./test_purse.ts";
import { PURPOSE, type Purpose } from "./wire.ts";

const FUNDS = 60_000;
const MERCHANTS = ["A", "B", "C"] as const;

/** Terminals don't wait for each other: each step may use what any earlier one has left behind. */
type Step =
  | { readonly do: "pay"; merchant: 0 | 1 | 2; reference: number; amount: number; cut?: Cut }
  | { readonly do: "ask-credit"; reference: number; amount: number; cut?: Cut }
  | { readonly do: "ask-close"; cut?: Cut }
  | { readonly do: "to-issuer"; which: number }
  | { readonly do: "to-card"; which: number; cut?: Cut }
  | { readonly do: "forge-consent"; which: number; bit: number }
  | { readonly do: "forge-question"; which: number; change: "credits" | "transaction" | "payload" }
  | { readonly do: "settle"; which: number }
  | { readonly do: "forge-receipt"; which: number; amount: number }
  | { readonly do: "pin"; isRight: boolean; cut?: Cut }
  | { readonly do: "reinsert" };

Deno.test("money is conserved under random sequences, replays, cuts and concurrent terminals", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyStep(), { minLength: 5, maxLength: 40 }), async (steps) => {
      const world = await World.begin();
      await world.take({ do: "ask-credit", reference: 250, amount: 20_000 });
      await world.take({ do: "to-issuer", which: 0 });
      await world.take({ do: "to-card", which: 0 });
      for (const step of steps) {
        await world.take(step);
        world.check();
      }
      await world.end();
    }),
    { numRuns: 250 },
  );
});

Deno.test("the same, with no chance in it: every place to cut in asking, crediting and paying", async () => {
  const cuts: (Cut | undefined)[] = [
    undefined,
    { at: "answer" },
    ...[1, 2].flatMap((save) => [
      { at: "before-save", save } as const,
      { at: "after-save", save } as const,
    ]),
  ];
  for (const cut of cuts) {
    for (const target of ["ask", "grant", "pay"]) {
      const world = await World.begin();
      const at = (name: string) => (name === target && cut !== undefined ? { cut } : {});
      await world.take({ do: "ask-credit", reference: 1, amount: 9_000, ...at("ask") });
      await world.take({ do: "to-issuer", which: 0 });
      await world.take({ do: "to-card", which: 0, ...at("grant") });
      await world.take({ do: "reinsert" });
      await world.take({ do: "pay", merchant: 0, reference: 1, amount: 700, ...at("pay") });
      world.check();
      await world.take({ do: "reinsert" });
      // The terminal asks again for the payment whose answer it never got.
      await world.take({ do: "pay", merchant: 0, reference: 1, amount: 700 });
      world.check();
      await world.end();
    }
  }
});

Deno.test("an old question that arrives after a newer one brings nothing back", async () => {
  const world = await World.begin();
  await world.take({ do: "ask-credit", reference: 1, amount: 5_000 });
  await world.take({ do: "ask-credit", reference: 2, amount: 6_000 });
  await world.take({ do: "to-issuer", which: 1 });
  await world.take({ do: "to-card", which: 0 });
  assert.equal(world.account.funds, FUNDS - 6_000);
  await world.take({ do: "to-issuer", which: 0 });
  assert.equal(world.account.funds, FUNDS - 6_000, "stale");
  world.check();
  await world.end();
});

/** Everybody who has money: the holder's account, the card, the merchants, the issuer. */
class World {
  account: CardAccount = newAccount({ currency: YEN, funds: FUNDS });
  readonly #card: PurseInProcess;
  readonly #client: StoredValueClient;
  readonly #settlement = new Settlement(MASTERS, { loadedOf: () => this.account.loaded });
  readonly #offices: MerchantBackOffice[];
  readonly #questions: Question[] = [];
  readonly #consents: { purpose: Purpose; mac: Uint8Array }[] = [];
  readonly #receipts: Receipt[] = [];
  readonly #tried: { party: Uint8Array; reference: Uint8Array }[] = [];

  private constructor(card: PurseInProcess, client: StoredValueClient) {
    this.#card = card;
    this.#client = client;
    this.#offices = MERCHANTS.map((letter) => {
      const party = partyId(letter);
      const keyOf = (cardId: Uint8Array) => this.#settlement.merchantKey(cardId, party);
      return new MerchantBackOffice({ party, keyOf });
    });
  }

  static async begin(): Promise<World> {
    const { card, client } = await newPurse();
    return new World(card, client);
  }

  async take(step: Step): Promise<void> {
    this.#card.cutPower("cut" in step ? step.cut : undefined);
    try {
      await this.#take(step);
    } catch (error) {
      if (error instanceof CardGoneError) return await this.#insert();
      if (!(error instanceof PurseRefusedError)) throw error;
    }
    this.#card.cutPower(undefined);
  }

  /** True at any moment, whatever is under way. */
  check(): void {
    const { purse } = this.#card.state;
    assert.ok(purse);
    assert.equal(purse.balance, purse.credited - purse.debited, "the books balance");
    assert.ok(purse.balance >= 0 && purse.balance <= LIMITS.balance);
    const left = FUNDS - this.account.funds;
    const isUnderWay = this.account.pending !== undefined &&
      left === purse.credited + this.account.pending.amount;
    assert.ok(left === purse.credited || isUnderWay, `${left} left, ${purse.credited} arrived`);
    const turnover = this.#offices.reduce((sum, office) => sum + office.turnover, 0);
    assert.ok(turnover <= purse.debited, "merchants have no more than was paid");
  }

  /** Everything under way comes to its end; then all the money there is is what there was. */
  async end(): Promise<void> {
    this.#card.cutPower(undefined);
    await this.#insert();
    // Asked and refused: but the card's word tells what became of the last consent.
    const { purse: before } = this.#card.state;
    if (before?.isClosed === false) {
      const result = decide(await this.#client.askLimits(LIMITS), {
        masters: MASTERS,
        account: this.account,
      });
      assert.ok(result.outcome === "refused" && result.account !== undefined);
      this.account = result.account;
      assert.equal(this.account.pending, undefined);
    }
    for (const { party, reference } of this.#tried) {
      const receipt = await this.#client.receipt(party, reference);
      if (receipt !== undefined) this.#settle(receipt);
    }
    for (const receipt of before?.log ?? []) {
      assert.ok(["accepted", "duplicate"].includes(this.#settlement.accept(receipt)));
    }
    const { purse } = this.#card.state;
    assert.ok(purse);
    const turnover = this.#offices.reduce((sum, office) => sum + office.turnover, 0);
    const owed = MERCHANTS.reduce(
      (sum, one) => sum + this.#settlement.owedTo(partyId(one), YEN),
      0,
    );
    assert.equal(owed, turnover, "the issuer owes what the merchants have receipts for");
    const paidOut = this.#settlement.owedToHolders;
    assert.equal(turnover + paidOut, purse.debited);
    if (!purse.isClosed) assert.equal(FUNDS - this.account.funds, purse.credited);
    const pending = purse.isClosed && FUNDS - this.account.funds !== purse.credited
      ? this.account.pending?.amount ?? 0
      : 0;
    assert.equal(this.account.funds + pending + purse.balance + turnover + paidOut, FUNDS);
  }

  async #take(step: Step): Promise<void> {
    const client = this.#client;
    switch (step.do) {
      case "pay": {
        const wanted = order(step.amount, MERCHANTS[step.merchant], step.reference);
        this.#tried.push(wanted);
        this.#receipts.push(await client.debit(wanted));
        return;
      }
      case "ask-credit":
        this.#questions.push(await client.askCredit(order(step.amount, "L", step.reference)));
        return;
      case "ask-close":
        this.#questions.push(await client.askClose());
        return;
      case "to-issuer": {
        const question = pick(this.#questions, step.which);
        if (question === undefined) return;
        const result = decide(question, {
          masters: MASTERS,
          account: this.account,
          isAllowed: () => true,
        });
        if (result.account !== undefined) this.account = result.account;
        if (result.outcome === "refused") return;
        this.#consents.push({ purpose: question.purpose, mac: result.mac });
        return;
      }
      case "to-card": {
        const consent = pick(this.#consents, step.which);
        if (consent === undefined) return;
        const said = await client.grant(consent.purpose, consent.mac);
        if (!(said instanceof Uint8Array)) this.#receipts.push(said);
        return;
      }
      case "forge-consent": {
        const genuine = pick(this.#consents, step.which)?.mac ?? new Uint8Array(16);
        const mac = genuine.slice();
        mac[step.bit >> 3] = (mac[step.bit >> 3] ?? 0) ^ (1 << (step.bit & 7));
        await client.grant(PURPOSE.credit, mac);
        throw new Error("A forged consent was taken");
      }
      case "forge-question": {
        const question = pick(this.#questions, step.which);
        if (question === undefined) return;
        const { ask, payload } = question;
        const changed = step.change === "payload"
          ? { ...question, payload: payload.map((byte) => byte ^ 1) }
          : { ...question, ask: { ...ask, [step.change]: ask[step.change] + 1 } };
        if (payload.length === 0 && step.change === "payload") return;
        const result = decide(changed, {
          masters: MASTERS,
          account: this.account,
          isAllowed: () => true,
        });
        assert.deepEqual(result, { outcome: "refused", reason: "forged" });
        return;
      }
      case "settle": {
        const receipt = pick(this.#receipts, step.which);
        if (receipt !== undefined) this.#settle(receipt);
        return;
      }
      case "forge-receipt": {
        const receipt = pick(this.#receipts, step.which);
        if (receipt === undefined || receipt.amount === step.amount) return;
        const forged = { ...receipt, amount: step.amount };
        for (const office of this.#offices) assert.equal(office.accept(forged), "forged");
        assert.equal(this.#settlement.accept(forged), "forged");
        return;
      }
      case "pin": {
        const { outcome } = await client.verify(step.isRight ? PIN : digits("9999"));
        assert.ok(step.isRight ? outcome !== "wrong" : outcome !== "ok");
        return;
      }
      case "reinsert":
        return await this.#insert();
    }
  }

  /** Submits a receipt to whom it names, and to the issuer; again and again is no harm. */
  #settle(receipt: Receipt): void {
    const verdicts = this.#offices.map((office) => office.accept(receipt));
    assert.ok(!verdicts.includes("conflict"));
    const verdict = this.#settlement.accept(receipt);
    assert.ok(verdict === "accepted" || verdict === "duplicate", verdict);
  }

  async #insert(): Promise<void> {
    this.#card.pull();
    this.#card.insert();
    await this.#client.select();
  }
}

/** Mostly the newest one, so that things go on; at times any older one. */
function pick<T>(list: readonly T[], which: number): T | undefined {
  if (list.length === 0) return undefined;
  return which > 12 ? list.at(-1) : list[which % list.length];
}

function anyStep(): fc.Arbitrary<Step> {
  const which = fc.nat({ max: 30 });
  const amount = fc.constantFrom(1, 10, 2_999, 3_000, 3_001, 9_000, 20_000, 20_001, 0xffff_ffff);
  const merchant = fc.constantFrom<0 | 1 | 2>(0, 1, 2);
  const pay = fc.tuple(merchant, fc.integer({ min: 1, max: 6 }), amount, anyCut())
    .map(([one, reference, price, cut]): Step => ({
      do: "pay",
      merchant: one,
      reference,
      amount: price,
      ...cut,
    }));
  const askCredit = fc.tuple(fc.integer({ min: 1, max: 200 }), amount, anyCut())
    .map(([reference, sum, cut]): Step => ({ do: "ask-credit", reference, amount: sum, ...cut }));
  const toCard = fc.tuple(which, anyCut())
    .map(([one, cut]): Step => ({ do: "to-card", which: one, ...cut }));
  const pin = fc.tuple(fc.boolean(), anyCut())
    .map(([isRight, cut]): Step => ({ do: "pin", isRight, ...cut }));
  const forgeConsent = fc.tuple(which, fc.nat({ max: 127 }))
    .map(([one, bit]): Step => ({ do: "forge-consent", which: one, bit }));
  const forgeReceipt = fc.tuple(which, amount)
    .map(([one, sum]): Step => ({ do: "forge-receipt", which: one, amount: sum }));
  const forgeQuestion = fc.tuple(
    which,
    fc.constantFrom<"credits" | "transaction" | "payload">("credits", "transaction", "payload"),
  ).map(([one, change]): Step => ({ do: "forge-question", which: one, change }));
  return fc.oneof(
    { weight: 1, arbitrary: forgeQuestion },
    { weight: 6, arbitrary: pay },
    { weight: 5, arbitrary: askCredit },
    { weight: 6, arbitrary: which.map((one): Step => ({ do: "to-issuer", which: one })) },
    { weight: 6, arbitrary: toCard },
    { weight: 1, arbitrary: anyCut().map((cut): Step => ({ do: "ask-close", ...cut })) },
    { weight: 1, arbitrary: forgeConsent },
    { weight: 3, arbitrary: which.map((one): Step => ({ do: "settle", which: one })) },
    { weight: 1, arbitrary: forgeReceipt },
    { weight: 2, arbitrary: pin },
    { weight: 1, arbitrary: fc.constant<Step>({ do: "reinsert" }) },
  );
}

function anyCut(): fc.Arbitrary<{ cut?: Cut }> {
  const atSave = fc.tuple(
    fc.constantFrom<"before-save" | "after-save">("before-save", "after-save"),
    fc.integer({ min: 1, max: 2 }),
  ).map(([at, save]): { cut: Cut } => ({ cut: { at, save } }));
  return fc.oneof(
    { weight: 4, arbitrary: fc.constant<{ cut?: Cut }>({}) },
    { weight: 1, arbitrary: fc.constant<{ cut: Cut }>({ cut: { at: "answer" } }) },
    { weight: 2, arbitrary: atSave },
  );
}
