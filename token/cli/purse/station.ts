/** What the issuing station does with a card in its own reader. */
import { randomFillSync } from "node:crypto";
import type { StoredValueClient } from "../../stored_value/client.ts";
import { encodePurseIssuer, newPurseIssuer } from "../../stored_value/issuer_file.ts";
import { cardKeys, wipeKeys } from "../../stored_value/keys.ts";
import { isDone, newAccount, refund } from "../../stored_value/load_issuer.ts";
import { type Receipt, RECEIPT_KIND } from "../../stored_value/receipt.ts";
import { type AskedQuestion, LENGTH, type Limits, PURPOSE } from "../../stored_value/wire.ts";
import { CommandError, UsageError } from "../errors.ts";
import { writeSecret } from "../files.ts";
import type { Given } from "../options.ts";
import { readSecrets } from "../secret_input.ts";
import { showPurse, statusOf, withPurse } from "./at_card.ts";
import { HeldIssuer } from "./issuer.ts";
import { number } from "./numbers.ts";

export async function makeIssuer(given: Given): Promise<void> {
  const out = given.text("out");
  if (out === undefined) throw new UsageError("Cannot make an issuer: --out FILE is missing");
  const random = randomFillSync(new Uint8Array(3 * LENGTH.key));
  await writeSecret(out, encodePurseIssuer(newPurseIssuer(random)));
  random.fill(0);
}

export async function install(given: Given): Promise<void> {
  using held = await HeldIssuer.open(given);
  const currency = number(given.text("currency") ?? "392", "--currency", 0xffff);
  const funds = number(given.text("funds"), "--funds", Number.MAX_SAFE_INTEGER);
  const limits = readLimits(given, USUAL);
  const [pin] = given.flag("no-pin") ? [] : await readSecrets(given, ["PIN of the purse"]);
  const cardId = randomFillSync(new Uint8Array(LENGTH.cardId));
  const keys = cardKeys(held.issuer.masters, cardId);
  await withPurse(given, async (client) => {
    if (await client.status() !== undefined) {
      throw new CommandError("Cannot install a purse: the card has one already");
    }
    // The account first: a purse without one would be worth nothing.
    await held.keep(cardId, newAccount({ currency, funds, mostBalance: limits.balance }));
    await client.install({ cardId, currency, limits, keys, ...(pin === undefined ? {} : { pin }) });
  });
  wipeKeys(keys);
  pin?.fill(0);
  console.log(`The card has a purse: ${cardId.toHex()}`);
}

export async function topUp(given: Given, amount: number): Promise<void> {
  using held = await HeldIssuer.open(given);
  await withPurse(given, async (client) => {
    const { currency } = await statusOf(client);
    const question = await client.askCredit({
      amount,
      currency,
      party: new TextEncoder().encode("STATION "),
      reference: randomFillSync(new Uint8Array(LENGTH.reference)),
      time: Math.floor(Date.now() / 1000),
    });
    await client.grant(PURPOSE.credit, await held.consent(question, { doing: "top up the purse" }));
    showPurse(await statusOf(client));
  });
}

/** New limits; what isn't named stays. */
export async function changeLimits(given: Given): Promise<void> {
  using held = await HeldIssuer.open(given);
  await withPurse(given, async (client) => {
    const { cardId, limits: before } = await statusOf(client);
    const limits = readLimits(given, before);
    const question = await client.askLimits(limits);
    await prove(client, { held, question, doing: "change the purse's limits" });
    const account = held.account(cardId);
    if (account !== undefined) {
      await held.keep(cardId, { ...account, mostBalance: limits.balance });
    }
    showPurse(await statusOf(client));
  });
}

export async function unblock(given: Given): Promise<void> {
  using held = await HeldIssuer.open(given);
  const [pin] = await readSecrets(given, ["new PIN of the purse"]);
  if (pin === undefined) throw new Error("One question has one answer");
  await withPurse(given, async (client) => {
    const question = await client.askUnblock(pin);
    pin.fill(0);
    await prove(client, { held, question, doing: "unblock the purse" });
    question.payload.fill(0);
  });
  console.log("The purse has its new PIN, with all its tries.");
}

/**
 * Closes the purse for ever, and gives what was left to the holder's account. Where the card was
 * pulled in between, the same command again finishes it; the money comes back once.
 */
export async function close(given: Given): Promise<void> {
  using held = await HeldIssuer.open(given);
  await withPurse(given, async (client) => {
    const { isClosed } = await statusOf(client);
    const receipt = isClosed ? await lastReceipt(client) : await closeNow(client, held);
    const verdict = held.book.settlement.accept(receipt);
    if (verdict !== "accepted" && verdict !== "duplicate") {
      const why = verdict === "forged" ? "its last receipt is not this issuer's" : "it was copied";
      throw new CommandError(`Cannot pay out the purse: ${why}; keep the card and look into it`);
    }
    const before = held.account(receipt.cardId);
    if (before === undefined) throw new Error("A receipt under our keys is of a card of ours");
    const after = refund(before, receipt);
    await held.keep(receipt.cardId, after);
    if (verdict === "accepted") await held.settled([receipt]);
    const what = before === after ? "was closed before" : "is closed";
    console.log(
      `The purse ${what}: ${receipt.amount} went back to the holder's account, ` +
        `which has ${after.funds} (currency ${after.currency}).`,
    );
  });
}

async function closeNow(client: StoredValueClient, held: HeldIssuer): Promise<Receipt> {
  const question = await client.askClose();
  const mac = await held.consent(question, { doing: "close the purse" });
  const receipt = await client.grant(PURPOSE.close, mac);
  if (receipt instanceof Uint8Array) throw new Error("A closing gives a receipt");
  return receipt;
}

async function lastReceipt(client: StoredValueClient): Promise<Receipt> {
  const nobody = new Uint8Array(LENGTH.party);
  const receipt = await client.receipt(nobody, nobody, { kind: RECEIPT_KIND.closing });
  if (receipt !== undefined) return receipt;
  throw new CommandError("Cannot pay out the purse: the card has no receipt of its closing");
}

/** Has the card do what it asked for, and checks its word on that. */
async function prove(
  client: StoredValueClient,
  { held, question, doing }: { held: HeldIssuer; question: AskedQuestion; doing: string },
): Promise<void> {
  const mac = await held.consent(question, { doing });
  const word = await client.grant(question.purpose, mac);
  const { masters } = held.issuer;
  if (word instanceof Uint8Array && isDone(word, { question, masters })) return;
  throw new CommandError(`Cannot ${doing}: the card's word on it is not genuine; try another card`);
}

const USUAL: Limits = { balance: 50_000, debit: 20_000, withoutPin: 3_000, withoutPinTotal: 5_000 };

function readLimits(given: Given, usual: Limits): Limits {
  const limit = (name: string, otherwise: number) => {
    const text = given.text(name);
    return text === undefined ? otherwise : number(text, `--${name}`);
  };
  return {
    balance: limit("most", usual.balance),
    debit: limit("most-debit", usual.debit),
    withoutPin: limit("without-pin", usual.withoutPin),
    withoutPinTotal: limit("without-pin-total", usual.withoutPinTotal),
  };
}
