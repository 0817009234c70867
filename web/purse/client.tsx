/** What the purse's page runs: takes a lease, and does with the purse what its holder agrees to. */
import { CardGoneError } from "../../token/apdu/channel.ts";
import { StoredValueClient } from "../../token/stored_value/client.ts";
import { PurseRefusedError } from "../../token/stored_value/client_errors.ts";
import { PURPOSE, type PurseStatus } from "../../token/stored_value/wire.ts";
import { PURSE_MESSAGES } from "../i18n/messages.ts";
import { byId, pageLanguage } from "../shared/embedded_state.ts";
import { mount } from "../shared/mount.tsx";
import { LeaseChannel, LeaseRefusedError } from "./lease_channel.ts";
import { encodeQuestion } from "./question.ts";
import { FIRST_SCREEN, parseAmount, type Payment, type PurseScreen, PurseView } from "./screen.tsx";

const language = pageLanguage();
const m = PURSE_MESSAGES[language];
const root = byId("root");
let screen: PurseScreen = FIRST_SCREEN;
const show = mount(
  root,
  (now: PurseScreen) => <PurseView screen={now} language={language} />,
  screen,
);
let lease: LeaseChannel | undefined;

function update(change: Partial<PurseScreen>): void {
  screen = { ...screen, ...change };
  show(screen);
}

root.addEventListener("submit", (event) => {
  event.preventDefault();
  const form = event.target instanceof HTMLFormElement ? event.target.dataset["form"] : undefined;
  void run(form ?? "");
});

root.addEventListener("click", (event) => {
  const isBack = event.target instanceof Element && event.target.closest("[data-action=back]");
  if (isBack) void guarded(open);
});

addEventListener("pagehide", () => void lease?.close());

async function run(form: string): Promise<void> {
  const { step } = screen;
  switch (form) {
    case "start":
      return await guarded(start);
    case "give-up":
      await fetch("/api/v1/card/give-up", { method: "POST" });
      return;
    case "done":
      await lease?.close();
      lease = undefined;
      return update({ step: { at: "start" }, alert: undefined });
    case "pay": {
      if (step.at !== "open") return;
      const amount = parseAmount(typed("amount"), step.status.currency);
      const payee = typed("payee").trim().toLowerCase();
      if (amount === undefined || !/^[0-9a-f]{16}$/.test(payee)) {
        return update({ alert: m.malformed });
      }
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
      if (amount === undefined) return update({ alert: m.malformed });
      return await guarded(() => ask(step.status, amount));
    }
    case "bring": {
      if (step.at !== "asked") return;
      const answer = typed("answer").trim().toLowerCase();
      if (!/^[0-9a-f]{32}$/.test(answer)) return update({ alert: m.refusal["wrong-mac"] });
      return await guarded(() => bring(step.status, answer));
    }
  }
}

async function start(): Promise<void> {
  lease = await LeaseChannel.open((waiting) => {
    const place = waiting.state === "waiting" ? waiting.place : undefined;
    const holder = waiting.state === "waiting" ? waiting.holder : undefined;
    update({ step: { at: "waiting", place, holder }, alert: undefined });
  });
  await open();
}

/** Selects the purse and shows it. */
async function open(): Promise<void> {
  const status = await (await purse()).status();
  if (status === undefined) throw new PurseRefusedError("open the purse", 0x6985, "no-purse");
  update({ step: { at: "open", status } });
}

async function pay(
  status: PurseStatus,
  { payment, digits }: { payment: Payment; digits: Uint8Array },
): Promise<void> {
  const client = await purse();
  if (digits.length > 0) {
    const sw = await lease?.enterPin(digits) ?? 0;
    if (sw !== 0x9000) {
      return update({ alert: (sw & 0xfff0) === 0x63c0 ? m.pinWrong : m.pinRefused });
    }
  }
  const receipt = await client.debit({
    ...{ amount: payment.amount, currency: status.currency, reference: payment.reference },
    ...{ party: bytes(payment.payee), time: Math.floor(Date.now() / 1000) },
  });
  update({ step: { at: "receipt", status, receipt } });
}

async function ask(status: PurseStatus, amount: number): Promise<void> {
  const client = await purse();
  const question = await client.askCredit({
    ...{ amount, currency: status.currency, party: new Uint8Array(8) },
    reference: crypto.getRandomValues(new Uint8Array(8)),
    time: Math.floor(Date.now() / 1000),
  });
  update({ step: { at: "asked", status, question: encodeQuestion(question) } });
}

/** Brings the issuer's answer; the purse must not be selected anew, it would forget its question. */
async function bring(status: PurseStatus, answer: string): Promise<void> {
  if (lease === undefined) throw new CardGoneError("No lease");
  const receipt = await new StoredValueClient(lease).grant(PURPOSE.credit, bytes(answer));
  if (!(receipt instanceof Uint8Array)) update({ step: { at: "receipt", status, receipt } });
}

async function purse(): Promise<StoredValueClient> {
  if (lease === undefined) throw new CardGoneError("No lease");
  const client = new StoredValueClient(lease);
  if (!await client.select()) throw new PurseRefusedError("open the purse", 0x6a82, "no-purse");
  return client;
}

/** Does one thing at a time, and says in the page's words what went wrong. */
async function guarded(work: () => Promise<void>): Promise<void> {
  if (screen.busy) return;
  update({ busy: true, alert: undefined });
  try {
    await work();
  } catch (error) {
    if (error instanceof PurseRefusedError) update({ alert: m.refusal[error.reason] });
    else if (error instanceof LeaseRefusedError) leave(m.cannot[error.why] ?? m.unreachable);
    else if (error instanceof CardGoneError) leave(wasPaying() ? m.lost : m.over);
    else leave(m.unreachable);
  } finally {
    update({ busy: false });
  }
}

function wasPaying(): boolean {
  return screen.step.at === "confirm";
}

function leave(alert: string): void {
  void lease?.close();
  lease = undefined;
  update({ step: { at: "start" }, alert });
}

function typed(id: string): string {
  const field = root.querySelector<HTMLInputElement>(`#${id}`);
  const text = field?.value ?? "";
  if (field !== null && field.type === "password") field.value = "";
  return text;
}

function bytes(digits: string): Uint8Array {
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}
