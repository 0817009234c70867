import { panelEn } from "./panel_en.ts";
import { panelJa } from "./panel_ja.ts";
import type { PanelMessages } from "./panel_messages.ts";
import { portalEn } from "./portal_en.ts";
import { portalJa } from "./portal_ja.ts";
import type { PortalMessages } from "./portal_messages.ts";
import { portalStickEn } from "./portal_stick_en.ts";
import { portalStickJa } from "./portal_stick_ja.ts";
import { purseEn } from "./purse_en.ts";
import { purseJa } from "./purse_ja.ts";
import type { PurseMessages } from "./purse_messages.ts";

/** Languages that every page speaks; the first one is what there is for everyone else. */
export const LANGUAGES = ["en", "ja"] as const;
export type Language = typeof LANGUAGES[number];

/** Each language's own name, for the switch. */
export const LANGUAGE_NAMES: Readonly<Record<Language, string>> = { en: "English", ja: "日本語" };

export const PORTAL_MESSAGES: Readonly<Record<Language, PortalMessages>> = {
  en: portalEn,
  ja: portalJa,
};

/** What the portal says of a token of this kind; left out: a card. */
export function portalMessages(
  language: Language,
  token?: "stick" | "either",
): PortalMessages {
  if (token === "stick") return STICK_MESSAGES[language];
  const messages = PORTAL_MESSAGES[language];
  return token === "either" ? { ...messages, noCard: messages.noToken } : messages;
}

/** What the portal says to holders of sticks. */
export const STICK_MESSAGES: Readonly<Record<Language, PortalMessages>> = {
  en: { ...portalEn, ...portalStickEn },
  ja: { ...portalJa, ...portalStickJa },
};

export const PANEL_MESSAGES: Readonly<Record<Language, PanelMessages>> = {
  en: panelEn,
  ja: panelJa,
};

export const PURSE_MESSAGES: Readonly<Record<Language, PurseMessages>> = {
  en: purseEn,
  ja: purseJa,
};

export function isLanguage(value: unknown): value is Language {
  return LANGUAGES.some((language) => language === value);
}
