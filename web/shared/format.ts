import type { Language } from "../i18n/messages.ts";

/** Times are Unix milliseconds, shown in the time zone of whoever runs this. */
export function formatDay(at: number, language: Language): string {
  return formatter(language, { dateStyle: "long" }).format(safeDate(at));
}

/** Day and minute. */
export function formatTime(at: number, language: Language): string {
  return formatter(language, { dateStyle: "medium", timeStyle: "short" }).format(safeDate(at));
}

/** Second of the day, for what is over within minutes. */
export function formatClock(at: number, language: Language): string {
  return formatter(language, { timeStyle: "medium" }).format(safeDate(at));
}

/** Month, day and second, for lists. */
export function formatMoment(at: number, language: Language): string {
  return formatter(language, {
    month: "short",
    day: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    hour12: false,
  }).format(safeDate(at));
}

/** Bytes with a decimal prefix and three digits or so: "4.2 MB". */
export function formatBytes(bytes: number): string {
  return `${scaled(bytes)}B`;
}

/** Bytes a second as bits, as lines are sold: "33.6 Mb/s". */
export function formatRate(bytesPerSecond: number): string {
  return `${scaled(bytesPerSecond * 8)}b/s`;
}

const PREFIXES = ["", "k", "M", "G", "T", "P", "E"];

function scaled(value: number): string {
  let scale = 0;
  let rest = Math.max(0, Number.isFinite(value) ? value : 0);
  while (rest >= 999.5 && scale < PREFIXES.length - 1) {
    rest /= 1000;
    scale += 1;
  }
  const digits = scale === 0 || rest >= 99.95 ? 0 : 1;
  return `${rest.toFixed(digits)} ${PREFIXES[scale] ?? ""}`;
}

const formatters = new Map<string, Intl.DateTimeFormat>();

function formatter(language: Language, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = language + JSON.stringify(options);
  const kept = formatters.get(key) ?? new Intl.DateTimeFormat(TAGS[language], options);
  formatters.set(key, kept);
  return kept;
}

const TAGS: Readonly<Record<Language, string>> = { en: "en-GB", ja: "ja-JP" };

/** The farthest day that a `Date` can hold; beyond it formatting would throw. */
const MAX_DATE = 8.64e15;

function safeDate(at: number): number {
  return Number.isFinite(at) ? Math.min(Math.max(at, -MAX_DATE), MAX_DATE) : 0;
}
