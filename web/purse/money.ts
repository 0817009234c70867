/** Amounts as people read and write them. @core */
import type { Language } from "../i18n/messages.ts";

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
