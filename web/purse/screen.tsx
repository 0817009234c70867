import type { Receipt } from "../../token/stored_value/receipt.ts";
import type { PurseStatus } from "../../token/stored_value/wire.ts";
import { type Language, PURSE_MESSAGES } from "../i18n/messages.ts";

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
  | { readonly at: "open"; readonly status: PurseStatus }
  | { readonly at: "confirm"; readonly status: PurseStatus; readonly payment: Payment }
  | { readonly at: "asked"; readonly status: PurseStatus; readonly question: string }
  | { readonly at: "receipt"; readonly status: PurseStatus; readonly receipt: Receipt };

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
          <p id="place">{step.place === undefined ? "…" : m.waiting(step.place)}</p>
          <button type="submit" class="quiet">{m.giveUp}</button>
        </form>
      );
    case "open":
      return (
        <div>
          <Balance status={step.status} language={language} />
          <form data-form="pay">
            <h2>{m.pay.title}</h2>
            <label for="amount">{m.pay.amount}</label>
            <input id="amount" inputmode="decimal" autocomplete="off" required disabled={busy} />
            <label for="payee">{m.pay.payee}</label>
            <input
              id="payee"
              autocomplete="off"
              spellcheck={false}
              maxlength={16}
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
    case "confirm":
      return (
        <form data-form="confirm" role="alertdialog" aria-labelledby="question">
          <p id="question">
            {m.pay.ask(
              money(step.payment.amount, step.status.currency, language),
              step.payment.payee,
            )}
          </p>
          {step.status.pinTries === undefined ? null : (
            <div>
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
          <button type="button" class="quiet" data-action="back">{m.pay.no}</button>
        </form>
      );
    case "asked":
      return (
        <form data-form="bring">
          <p>{m.topUp.question}</p>
          <code id="question-code" class="code">{step.question}</code>
          <label for="answer">{m.topUp.answer}</label>
          <input id="answer" autocomplete="off" spellcheck={false} required disabled={busy} />
          <button type="submit" disabled={busy}>{m.topUp.bring}</button>
          <button type="button" class="quiet" data-action="back">{m.receipt.back}</button>
        </form>
      );
    case "receipt":
      return <ReceiptView receipt={step.receipt} language={language} />;
    default:
      return step satisfies never;
  }
}

function Balance({ status, language }: { status: PurseStatus; language: Language }) {
  const m = PURSE_MESSAGES[language];
  return (
    <div>
      <p>{m.balance}</p>
      <p class="amount" id="balance">{money(status.balance, status.currency, language)}</p>
      {status.pinTries === undefined
        ? null
        : <p>{m.withoutPin(money(status.withoutPinLeft, status.currency, language))}</p>}
    </div>
  );
}

function ReceiptView({ receipt, language }: { receipt: Receipt; language: Language }) {
  const m = PURSE_MESSAGES[language].receipt;
  const { currency, kind } = receipt;
  return (
    <div id="receipt">
      <h2>{m.title}</h2>
      <dl class="facts">
        <dt>{kind === 1 ? m.paid : m.toppedUp}</dt>
        <dd>{money(receipt.amount, currency, language)}</dd>
        <dt>{m.number}</dt>
        <dd>{String(receipt.transaction)}</dd>
        <dt>{m.after}</dt>
        <dd>{money(receipt.balance, currency, language)}</dd>
      </dl>
      {kind === 1 ? <p>{m.code}</p> : null}
      <code class="code">{hex(receipt.merchantMac)}</code>
      <button type="button" data-action="back">{m.back}</button>
    </div>
  );
}

/** ISO 4217 numbers of currencies that have a sign here; others are shown by their number. */
const CURRENCIES: Readonly<Record<number, { code: string; digits: number }>> = {
  392: { code: "JPY", digits: 0 },
  840: { code: "USD", digits: 2 },
  978: { code: "EUR", digits: 2 },
};

/** An amount in the currency's smallest unit, as people write it. */
export function money(amount: number, currency: number, language: Language): string {
  const known = CURRENCIES[currency];
  if (known === undefined) return `${amount} (${currency})`;
  return new Intl.NumberFormat(language === "ja" ? "ja-JP" : "en-GB", {
    style: "currency",
    currency: known.code,
    currencyDisplay: "narrowSymbol",
  }).format(amount / 10 ** known.digits);
}

/** What somebody typed, in the currency's smallest unit; undefined when it is no amount. */
export function parseAmount(text: string, currency: number): number | undefined {
  const digits = CURRENCIES[currency]?.digits ?? 0;
  const [, whole = "", part = ""] = /^(\d{1,9})(?:\.(\d{1,2}))?$/.exec(text.trim()) ?? [];
  if (whole === "" || part.length > digits) return undefined;
  const amount = Number(whole) * 10 ** digits + Number(part.padEnd(digits, "0") || 0);
  return amount > 0 && amount <= 0xffff_ffff ? amount : undefined;
}

function hex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
