/** What the purse's page runs: takes turns at the card, and does what its holder agrees to. */
import { CardGoneError } from "../../token/apdu/channel.ts";
import { triesLeft } from "../../token/apdu/status.ts";
import type { Answer } from "../../token/stored_value/code.ts";
import { questionCode, readCode } from "../../token/stored_value/code.ts";
import { PurseRefusedError } from "../../token/stored_value/client_errors.ts";
import { decodeOrder, PURPOSE, type PurseStatus } from "../../token/stored_value/wire.ts";
import { PURSE_MESSAGES } from "../i18n/messages.ts";
import { byId, pageLanguage } from "../shared/embedded_state.ts";
import { mount } from "../shared/mount.tsx";
import { LeaseRefusedError } from "./lease_channel.ts";
import { parseAmount } from "./money.ts";
import { FIRST_SCREEN, type Payment, type PurseScreen, PurseView } from "./screen.tsx";
import { Turn } from "./turn.ts";

const language = pageLanguage();
const m = PURSE_MESSAGES[language];
const root = byId("root");
let screen: PurseScreen = FIRST_SCREEN;
/** A payment whose answer was lost: nobody knows yet whether this card made it. */
let unsure: { readonly payment: Payment; readonly cardId: Uint8Array } | undefined;
let gaveUp = false;
const show = mount(
  root,
  (now: PurseScreen) => <PurseView screen={now} language={language} />,
  screen,
);
const turn = new Turn((waiting) => update({ step: { at: "waiting", ...waiting } }));

function update(change: Partial<PurseScreen>): void {
  const isNew = change.step !== undefined && change.step.at !== screen.step.at;
  screen = { ...screen, ...change };
  show(screen);
  // What was there has gone, and with it the place of whoever works by keyboard or by ear.
  if (isNew) setTimeout(() => root.querySelector<HTMLElement>("[data-focus]")?.focus());
}

root.addEventListener("submit", (event) => {
  event.preventDefault();
  const form = event.target instanceof HTMLFormElement ? event.target.dataset["form"] : undefined;
  void run(form ?? "");
});

root.addEventListener("click", (event) => {
  const button = event.target instanceof Element ? event.target.closest("[data-action]") : null;
  if (!(button instanceof HTMLElement)) return;
  if (button.dataset["action"] === "back") void guarded(open);
  if (button.dataset["action"] === "print") print();
});

addEventListener("pagehide", () => void turn.end());

async function run(form: string): Promise<void> {
  const { step } = screen;
  switch (form) {
    case "start":
      return await guarded(open);
    case "give-up":
      gaveUp = true;
      return await turn.giveUp().catch(() => {});
    case "done":
      await turn.end();
      return update({ step: { at: "start" }, alert: undefined });
    case "pay": {
      if (step.at !== "open") return;
      const amount = parseAmount(typed("amount"), step.status.currency);
      if (amount === undefined) return update({ alert: m.malformed.amount });
      const payee = typed("payee").replaceAll(/[\s-]/g, "").toLowerCase();
      if (!/^[0-9a-f]{16}$/.test(payee)) return update({ alert: m.malformed.payee });
      const reference = crypto.getRandomValues(new Uint8Array(8));
      const payment = { amount, payee, reference };
      return update({ step: { at: "confirm", status: step.status, payment }, alert: undefined });
    }
    case "confirm": {
      if (step.at !== "confirm") return;
      const digits = new TextEncoder().encode(typed("purse-pin"));
      return await guarded(() => pay(step.status, { payment: step.payment, digits }));
    }
    case "ask": {
      if (step.at !== "open") return;
      const amount = parseAmount(typed("credit"), step.status.currency);
      if (amount === undefined) return update({ alert: m.malformed.amount });
      return await guarded(() => ask(step.status, amount));
    }
    case "asked":
      return await guarded(showQuestion);
    case "bring": {
      const code = readCode(typed("answer"));
      if (code.is !== "answer") return update({ alert: m.answer[code.is] });
      return await guarded(() => bring(code.answer));
    }
  }
}

/** Shows the purse; but first what became of a payment whose answer was lost. */
async function open(): Promise<void> {
  const client = await turn.purse();
  const status = await client.status();
  if (status === undefined) throw new PurseRefusedError("open the purse", 0x6985, "no-purse");
  if (unsure !== undefined && isSame(unsure.cardId, status.cardId)) {
    const { payment } = unsure;
    const receipt = await client.receipt(bytes(payment.payee), payment.reference);
    unsure = undefined;
    if (receipt !== undefined) return update({ step: { at: "receipt", receipt } });
    return update({ step: { at: "confirm", status, payment }, alert: m.notPaid });
  }
  const order = decodeOrder((await client.question())?.payload ?? new Uint8Array());
  update({ step: { at: "open", status, asked: order?.amount } });
}

async function pay(
  status: PurseStatus,
  { payment, digits }: { payment: Payment; digits: Uint8Array },
): Promise<void> {
  const client = await turn.purse();
  update({ step: { at: "confirm", status, payment } });
  if (digits.length > 0) {
    const sw = await turn.enterPin(digits);
    if (sw !== 0x9000) {
      const left = triesLeft(sw);
      return update({ alert: left === undefined ? m.pinRefused : m.pinWrong(left) });
    }
  }
  unsure = { payment, cardId: status.cardId };
  try {
    const receipt = await client.debit({
      ...{ amount: payment.amount, currency: status.currency, reference: payment.reference },
      ...{ party: bytes(payment.payee), time: now() },
    });
    unsure = undefined;
    update({ step: { at: "receipt", receipt } });
  } catch (error) {
    if (!(error instanceof PurseRefusedError)) throw new AnswerLostError();
    unsure = undefined;
    throw error;
  }
}

async function ask(status: PurseStatus, amount: number): Promise<void> {
  const client = await turn.purse();
  await client.askCredit({
    ...{ amount, currency: status.currency, party: new Uint8Array(8), time: now() },
    reference: crypto.getRandomValues(new Uint8Array(8)),
  });
  await showQuestion();
}

/** The card keeps the question: it is free for others while this one is on its way. */
async function showQuestion(): Promise<void> {
  const question = await (await turn.purse()).question();
  const order = decodeOrder(question?.payload ?? new Uint8Array());
  if (question === undefined || order === undefined) return await open();
  const { amount, currency } = order;
  update({ step: { at: "asked", amount, currency, question: questionCode(question) } });
  await turn.end();
}

async function bring(answer: Answer): Promise<void> {
  const before = screen.step;
  const client = await turn.purse();
  update({ step: before });
  const question = await client.question();
  if (question === undefined) throw new PurseRefusedError("top up", 0x6985, "nothing-asked");
  const { cardId, transaction } = question.ask;
  if (!isSame(answer.cardId, cardId)) return update({ alert: m.answer["other-card"] });
  if (answer.transaction !== transaction) return update({ alert: m.answer.old });
  const receipt = await client.grant(PURPOSE.credit, answer.mac);
  if (!(receipt instanceof Uint8Array)) update({ step: { at: "receipt", receipt } });
}

/** Does one thing at a time, and says in the page's words what went wrong. */
async function guarded(work: () => Promise<void>): Promise<void> {
  if (screen.busy) return;
  gaveUp = false;
  update({ busy: true, alert: undefined });
  try {
    await work();
  } catch (error) {
    if (error instanceof PurseRefusedError) {
      const { at } = screen.step;
      update({ alert: m.refusal[error.reason] });
      if (at === "start" || at === "waiting") await leave(m.refusal[error.reason]);
    } else if (error instanceof LeaseRefusedError) {
      await leave(m.cannot[error.why] ?? m.unreachable);
    } else if (error instanceof AnswerLostError) await leave(m.lost);
    else if (error instanceof CardGoneError) await leave(gaveUp ? undefined : m.over);
    else await leave(m.unreachable);
  } finally {
    update({ busy: false });
  }
}

async function leave(alert: string | undefined): Promise<void> {
  update({ step: { at: "start" }, alert });
  await turn.end();
}

/** Whether it was paid isn't known until the card is asked. */
class AnswerLostError extends Error {}

function typed(id: string): string {
  const field = root.querySelector<HTMLInputElement | HTMLTextAreaElement>(`#${id}`);
  const text = field?.value ?? "";
  if (field !== null && field.type === "password") field.value = "";
  return text;
}

function now(): number {
  return Math.floor(Date.now() / 1000);
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, at) => byte === other[at]);
}

function bytes(digits: string): Uint8Array {
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}
