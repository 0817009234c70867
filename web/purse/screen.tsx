import { receiptCode } from "../../token/stored_value/code.ts";
import { type Receipt, RECEIPT_KIND } from "../../token/stored_value/receipt.ts";
import type { PurseStatus } from "../../token/stored_value/wire.ts";
import { type Language, PURSE_MESSAGES } from "../i18n/messages.ts";
import { QrCode } from "../shared/qr.tsx";
import { money } from "./money.ts";

/** What the purse's page shows. The server renders the first one. */
export interface PurseScreen {
  readonly step: Step;
  /** What went wrong last. */
  readonly alert: string | undefined;
  readonly busy: boolean;
}

export type Step =
  | { readonly at: "start" }
  | {
    readonly at: "waiting";
    readonly place: number | undefined;
    readonly holder: string | undefined;
  }
  | {
    readonly at: "open";
    readonly status: PurseStatus;
    /** A credit that the issuer was asked for and that has not arrived. */
    readonly asked: number | undefined;
  }
  | { readonly at: "confirm"; readonly status: PurseStatus; readonly payment: Payment }
  | {
    readonly at: "asked";
    readonly amount: number;
    readonly currency: number;
    readonly question: string;
  }
  | { readonly at: "receipt"; readonly receipt: Receipt };

/** A payment that its holder has not agreed to yet. `reference` stays when it is tried again. */
export interface Payment {
  readonly amount: number;
  readonly payee: string;
  readonly reference: Uint8Array;
}

export const FIRST_SCREEN: PurseScreen = { step: { at: "start" }, alert: undefined, busy: false };

interface Props {
  readonly screen: PurseScreen;
  readonly language: Language;
}

export function PurseView({ screen, language }: Props) {
  return (
    <section
      class={`card tone-${screen.alert === undefined ? "ask" : "bad"}`}
      data-step={screen.step.at}
    >
      <div class="said" role="status" aria-live="polite">
        <h1>{PURSE_MESSAGES[language].title}</h1>
        <p class={screen.alert === undefined ? "alert empty" : "alert"} id="alert">
          {screen.alert ?? ""}
        </p>
      </div>
      <StepView screen={screen} language={language} />
    </section>
  );
}

function StepView({ screen, language }: Props) {
  const m = PURSE_MESSAGES[language];
  const { step, busy } = screen;
  switch (step.at) {
    case "start":
      return (
        <form data-form="start">
          <p>{m.intro}</p>
          <button type="submit" disabled={busy}>{m.start}</button>
        </form>
      );
    case "waiting":
      return (
        <form data-form="give-up">
          {step.holder === undefined ? null : <p>{m.holder(step.holder)}</p>}
          <p id="place" class="place">{step.place === undefined ? "…" : m.waiting(step.place)}</p>
          <button type="submit" class="quiet">{m.giveUp}</button>
        </form>
      );
    case "open":
      return <OpenPurse step={step} language={language} busy={busy} />;
    case "confirm":
      return <Consent step={step} language={language} busy={busy} />;
    case "asked":
      return <Asked step={step} language={language} busy={busy} />;
    case "receipt":
      return <ReceiptView receipt={step.receipt} language={language} />;
    default:
      return step satisfies never;
  }
}

/** One step of the page. */
interface StepProps<At extends Step["at"]> {
  readonly step: Step & { readonly at: At };
  readonly language: Language;
  readonly busy: boolean;
}

function OpenPurse({ step: { status, asked }, language, busy }: StepProps<"open">) {
  const m = PURSE_MESSAGES[language];
  const sum = (amount: number) => money(amount, status.currency, language);
  return (
    <div class="purse">
      <div tabindex={-1} data-focus>
        <p>{m.balance}</p>
        <p class="amount" id="balance">{sum(status.balance)}</p>
        {status.pinTries === undefined
          ? null
          : <p class="privacy">{m.withoutPin(sum(status.withoutPinLeft))}</p>}
        {status.isClosed ? <p>{m.refusal.closed}</p> : null}
      </div>
      {asked === undefined ? null : (
        <form data-form="asked" class="notice">
          <p>{m.topUp.waits(sum(asked))}</p>
          <button type="submit" class="quiet" disabled={busy}>{m.topUp.enter}</button>
        </form>
      )}
      <form data-form="pay">
        <h2>{m.pay.title}</h2>
        <label for="amount">{m.pay.amount}</label>
        <input id="amount" inputmode="decimal" autocomplete="off" required disabled={busy} />
        <label for="payee">{m.pay.payee}</label>
        <input
          id="payee"
          class="number"
          autocomplete="off"
          autocapitalize="none"
          spellcheck={false}
          maxlength={24}
          required
          aria-describedby="payee-hint"
          disabled={busy}
        />
        <p class="privacy" id="payee-hint">{m.pay.payeeHint}</p>
        <button type="submit" disabled={busy}>{m.pay.next}</button>
      </form>
      <form data-form="ask">
        <h2>{m.topUp.title}</h2>
        <label for="credit">{m.pay.amount}</label>
        <input id="credit" inputmode="decimal" autocomplete="off" required disabled={busy} />
        <button type="submit" class="quiet" disabled={busy}>{m.topUp.next}</button>
      </form>
      <form data-form="done">
        <button type="submit" class="quiet">{m.done}</button>
      </form>
    </div>
  );
}

/** Nothing is paid before its holder has agreed to what this says. */
function Consent({ step: { status, payment }, language, busy }: StepProps<"confirm">) {
  const m = PURSE_MESSAGES[language];
  return (
    <form data-form="confirm" role="alertdialog" aria-labelledby="question">
      <p id="question" class="question" tabindex={-1} data-focus>
        {m.pay.ask(
          money(payment.amount, status.currency, language),
          grouped(payment.payee).replaceAll(" ", "\u00a0"),
        )}
      </p>
      {status.pinTries === undefined ? null : (
        <div class="field">
          <label for="purse-pin">{m.pay.pin}</label>
          <input
            id="purse-pin"
            type="password"
            inputmode="numeric"
            autocomplete="off"
            maxlength={8}
            aria-describedby="pin-hint"
            disabled={busy}
          />
          <p class="privacy" id="pin-hint">{m.pay.pinHint}</p>
        </div>
      )}
      <button type="submit" disabled={busy}>{m.pay.yes}</button>
      <button type="button" class="quiet" data-action="back" disabled={busy}>{m.pay.no}</button>
    </form>
  );
}

function Asked({ step, language, busy }: StepProps<"asked">) {
  const m = PURSE_MESSAGES[language].topUp;
  return (
    <form data-form="bring">
      <h2 tabindex={-1} data-focus>{m.asking(money(step.amount, step.currency, language))}</h2>
      <p>{m.question}</p>
      <QrCode text={step.question.replaceAll("-", "")} label={m.qr} />
      <code id="question-code" class="code">{step.question}</code>
      <p class="privacy">{m.keeps}</p>
      <label for="answer">{m.answer}</label>
      <textarea
        id="answer"
        class="number"
        rows={3}
        autocomplete="off"
        autocapitalize="characters"
        spellcheck={false}
        required
        disabled={busy}
      />
      <button type="submit" disabled={busy}>{m.bring}</button>
      <button type="button" class="quiet" data-action="back" disabled={busy}>
        {PURSE_MESSAGES[language].receipt.back}
      </button>
    </form>
  );
}

function ReceiptView({ receipt, language }: { receipt: Receipt; language: Language }) {
  const m = PURSE_MESSAGES[language].receipt;
  const { amount, balance, currency, kind, party, time, transaction } = receipt;
  const code = receiptCode(receipt);
  const isPayment = kind === RECEIPT_KIND.debit;
  return (
    <div id="receipt" class="purse">
      <h2 tabindex={-1} data-focus>{m.title}</h2>
      <dl class="receipt-facts">
        <dt>{isPayment ? m.paid : m.toppedUp}</dt>
        <dd class="amount">{money(amount, currency, language)}</dd>
        {isPayment ? <dt>{m.payee}</dt> : null}
        {isPayment ? <dd>{grouped(hex(party))}</dd> : null}
        <dt>{m.time}</dt>
        <dd>{new Date(time * 1000).toLocaleString(language === "ja" ? "ja-JP" : "en-GB")}</dd>
        <dt>{m.number}</dt>
        <dd>{String(transaction)}</dd>
        <dt>{m.after}</dt>
        <dd>{money(balance, currency, language)}</dd>
      </dl>
      {isPayment ? <p>{m.code}</p> : null}
      {isPayment ? <QrCode text={code.replaceAll("-", "")} label={m.qr} /> : null}
      {isPayment ? <code class="code" id="receipt-code">{code}</code> : null}
      <div class="actions">
        <button type="button" data-action="back">{m.back}</button>
        <button type="button" class="quiet" data-action="print">{m.print}</button>
      </div>
    </div>
  );
}

/** Sixteen digits as people compare them. */
function grouped(digits: string): string {
  return digits.toUpperCase().match(/.{1,4}/g)?.join(" ") ?? "";
}

function hex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
