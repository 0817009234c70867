import { raw } from "hono/html";
import type { Child } from "hono/jsx";
import type { HtmlEscapedString } from "hono/utils/html";
import { type Language, LANGUAGE_NAMES, LANGUAGES } from "../i18n/messages.ts";

/** One whole HTML document. */
export function Page(props: {
  language: Language;
  title: string;
  /** Stylesheet, and script if there is one. */
  css: string;
  script?: string;
  /** Reload so often where there is no JavaScript, in seconds. */
  reloadWithoutScript?: number;
  /** Go to this address after eight seconds. */
  goTo?: string;
  /** Handed to the script as JSON. */
  state?: unknown;
  class: string;
  children?: Child;
}): HtmlEscapedString | Promise<HtmlEscapedString> {
  return (
    <html lang={props.language}>
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="robots" content="noindex" />
        <title>{props.title}</title>
        <link rel="icon" href={ICON} />
        <link rel="stylesheet" href={props.css} />
        {props.script && <script type="module" src={props.script}></script>}
        {props.goTo && <meta http-equiv="refresh" content={`8; url=${props.goTo}`} />}
        {props.reloadWithoutScript && (
          <noscript>
            <meta http-equiv="refresh" content={String(props.reloadWithoutScript)} />
          </noscript>
        )}
      </head>
      <body class={props.class}>
        {props.children}
        {props.state !== undefined && (
          <script id="state" type="application/json">{raw(jsonForHtml(props.state))}</script>
        )}
      </body>
    </html>
  );
}

/** Links to this very page in each other language. */
export function LanguageSwitch(props: { language: Language; label: string }) {
  return (
    <nav class="languages" aria-label={props.label}>
      {LANGUAGES.filter((language) => language !== props.language).map((language) => (
        <LanguageLink key={language} language={language} />
      ))}
    </nav>
  );
}

function LanguageLink({ language }: { language: Language }) {
  return (
    <a href={`?lang=${language}`} lang={language} hreflang={language}>
      {LANGUAGE_NAMES[language]}
    </a>
  );
}

/** JSON that can't close the script element around it, nor open a comment in it. */
export function jsonForHtml(value: unknown): string {
  return JSON.stringify(value).replaceAll("<", "\\u003c").replaceAll("\u2028", "\\u2028")
    .replaceAll("\u2029", "\\u2029");
}

/** The mark, a barrier gate, as an image that needs no request. */
const ICON = "data:image/svg+xml," + encodeURIComponent(
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#2c4a7c"/>` +
    `<g fill="none" stroke="#fff" stroke-width="2.6" stroke-linecap="round"><path d="M6 10h20M8.5 15.5h15M11 10v14.5M21 10v14.5"/></g></svg>`,
);
