import type { Context } from "hono";
import { getCookie, setCookie } from "hono/cookie";
import { isLanguage, type Language, LANGUAGES } from "../i18n/messages.ts";

const COOKIE = "lang";
const YEAR_SECONDS = 365 * 86_400;

/**
 * The reader's language: what a `?lang=` just chose (and is kept in a cookie), else the cookie,
 * else the browser's first preference that there is, else English.
 */
export function chooseLanguage(c: Context): Language {
  const asked = c.req.query("lang");
  if (isLanguage(asked)) {
    setCookie(c, COOKIE, asked, {
      path: "/",
      sameSite: "Lax",
      secure: true,
      httpOnly: true,
      maxAge: YEAR_SECONDS,
    });
    return asked;
  }
  const kept = getCookie(c, COOKIE);
  if (isLanguage(kept)) return kept;
  return preferredLanguage(c.req.header("Accept-Language") ?? "");
}

/** Reads `Accept-Language` (RFC 9110 section 12.5.4). */
export function preferredLanguage(header: string): Language {
  const wishes = header.slice(0, 512).split(",").map((part) => {
    const [range = "", ...parameters] = part.trim().toLowerCase().split(";");
    const quality = parameters.map((p) => /^\s*q=([\d.]+)$/.exec(p)?.[1]).find((q) => q);
    return { primary: range.split("-")[0] ?? "", quality: quality ? Number(quality) : 1 };
  });
  let best: { language: Language; quality: number } | undefined;
  for (const { primary, quality } of wishes) {
    const language = primary === "*" ? LANGUAGES[0] : primary;
    if (isLanguage(language) && quality > (best?.quality ?? 0)) best = { language, quality };
  }
  return best?.language ?? "en";
}
