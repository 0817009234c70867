import { PANEL_MESSAGES } from "../../i18n/messages.ts";
import type { Language } from "../../i18n/messages.ts";
import { formatTime } from "../../shared/format.ts";
import type { PanelScreen } from "../state.ts";
import { CardCard } from "./card_card.tsx";
import { DropsCard } from "./drops_card.tsx";
import { JournalCard } from "./journal_card.tsx";
import { Facts } from "./parts.tsx";
import { ReadersCard } from "./readers_card.tsx";
import { RulesetCard } from "./ruleset_card.tsx";
import { SessionCard } from "./session_card.tsx";
import { ShareCard } from "./share_card.tsx";
import { TerminalsCard } from "./terminals_card.tsx";
import { TunnelCard } from "./tunnel_card.tsx";

/** The whole panel below its header; rendered by the server first and by the page from then on. */
export function Panel(props: { screen: PanelScreen; language: Language }) {
  const { screen, language } = props;
  const m = PANEL_MESSAGES[language];
  const { status } = screen;
  const part = { screen, language, m };
  return (
    <div class="panel">
      <p class={LINK_CLASSES[String(screen.live)]} role="status">
        <span class="dot" aria-hidden="true"></span>
        <span id="live">
          {screen.live === undefined ? "" : screen.live ? m.live : m.reconnecting}
        </span>
      </p>
      {status.warnings.length === 0 ? null : (
        <section class="warnings" role="alert">
          <h2>{m.warnings}</h2>
          <ul>{status.warnings.map((warning) => <Warning key={warning} text={warning} />)}</ul>
        </section>
      )}
      <div class="columns">
        <div class="main">
          <SessionCard {...part} />
          <TunnelCard {...part} />
          <ShareCard {...part} />
          <TerminalsCard {...part} />
          <JournalCard {...part} />
        </div>
        <div class="side">
          <ReadersCard {...part} />
          <CardCard {...part} />
          <DropsCard {...part} />
          <RulesetCard {...part} />
          <section class="about">
            <Facts
              facts={[
                { name: m.uptime, value: formatTime(status.startedAt, language) },
                { name: m.version, value: status.version },
              ]}
            />
          </section>
        </div>
      </div>
    </div>
  );
}

const LINK_CLASSES: Readonly<Record<string, string>> = {
  undefined: "link unknown",
  true: "link live",
  false: "link",
};

/** Warnings come in English, whatever the page's language. */
function Warning(props: { text: string }) {
  return <li lang="en">{props.text}</li>;
}
