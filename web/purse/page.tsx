import { type Language, PURSE_MESSAGES } from "../i18n/messages.ts";
import type { Assets } from "../shared/assets.ts";
import { Mark } from "../shared/mark.tsx";
import { LanguageSwitch, Page } from "../shared/page.tsx";
import { FIRST_SCREEN, PurseView } from "./screen.tsx";

/** The page of the stored-value application, below the portal. */
export function PursePage(
  { gateway, language, assets }: { gateway: string; language: Language; assets: Assets },
) {
  const m = PURSE_MESSAGES[language];
  return (
    <Page
      class="portal"
      language={language}
      title={`${gateway} · ${m.title}`}
      css={assets.url("portal.css")}
      script={assets.url("purse.js")}
    >
      <header>
        <Mark />
        <a href="/" class="name">{gateway}</a>
      </header>
      <main id="root">
        <PurseView screen={FIRST_SCREEN} language={language} />
      </main>
      <noscript>
        <p class="needs-script">{m.needsScript}</p>
      </noscript>
      <footer>
        <LanguageSwitch language={language} label={m.language} />
      </footer>
    </Page>
  );
}
