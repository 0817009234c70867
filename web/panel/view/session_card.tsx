import type { SessionPhase } from "../../../gateway/view.ts";
import type { Language } from "../../i18n/messages.ts";
import type { PanelMessages } from "../../i18n/panel_messages.ts";
import { formatDay, formatTime } from "../../shared/format.ts";
import { type Fact, Facts } from "./parts.tsx";
import type { ViewProps } from "./props.ts";

/** Where the card session stands: the one thing to see first. */
export function SessionCard({ screen, language, m }: ViewProps) {
  const { session } = screen.status;
  return (
    <section
      id="session"
      class={`card session tone-${TONES[session.phase]}`}
      aria-labelledby="session-title"
      data-phase={session.phase}
    >
      <div class="session-head">
        <div>
          <p class="kicker">{m.session.title}</p>
          <h2 id="session-title">{m.session.phase[session.phase]}</h2>
          <p class="soft">
            {session.phase === "unlocking" && session.touch
              ? m.session.touch
              : m.session.note[session.phase]}
          </p>
        </div>
        {ENDABLE.has(session.phase) && screen.ending !== "asked"
          ? (
            <button
              type="button"
              class="quiet"
              data-action="ask-end"
              disabled={screen.ending === "running"}
            >
              {m.session.end}
            </button>
          )
          : null}
      </div>
      {ENDABLE.has(session.phase) && screen.ending === "asked"
        ? (
          <div class="confirm" role="alertdialog" aria-labelledby="end-ask">
            <p id="end-ask">{m.session.endAsk}</p>
            <div class="buttons">
              <button type="button" class="danger" data-action="end">{m.session.endConfirm}</button>
              <button type="button" class="quiet" data-action="keep">{m.session.endCancel}</button>
            </div>
          </div>
        )
        : null}
      {screen.ending === "failed"
        ? <p class="problem" role="alert">{m.session.endFailed}</p>
        : null}
      <SessionFacts session={session} language={language} m={m.session} />
    </section>
  );
}

function SessionFacts(
  props: { session: SessionPhase; language: Language; m: PanelMessages["session"] },
) {
  const facts = factsOf(props.session, props);
  return facts.length === 0 ? null : <Facts facts={facts} />;
}

function factsOf(
  session: SessionPhase,
  { m, language }: { m: PanelMessages["session"]; language: Language },
): readonly Fact[] {
  switch (session.phase) {
    case "no-reader":
    case "no-card":
    case "reading":
      return [];
    case "expired":
      return [{ name: m.holder, value: session.holder }, {
        name: m.expired,
        value: formatDay(session.expiredAt, language),
      }];
    case "pin-asked":
      return [{ name: m.holder, value: session.holder }, {
        name: m.triesLeft,
        value: String(session.triesLeft),
      }];
    case "suspended":
    case "unlocking":
    case "blocked":
      return [{ name: m.holder, value: session.holder }];
    case "refused":
      return [{ name: m.reason, value: m.fault[session.fault] }];
    case "up":
      return [
        { name: m.holder, value: session.holder },
        { name: m.since, value: formatTime(session.since, language) },
        { name: m.validUntil, value: formatDay(session.expiresAt, language) },
      ];
    case "failed":
      return [{ name: m.reason, value: session.reason }];
    default:
      return session satisfies never;
  }
}

/** Phases in which there is something to end. */
const ENDABLE: ReadonlySet<SessionPhase["phase"]> = new Set([
  ...["pin-asked", "suspended", "unlocking", "up"] as const,
]);

const TONES: Readonly<Record<SessionPhase["phase"], "idle" | "wait" | "good" | "bad">> = {
  "no-reader": "bad",
  "no-card": "idle",
  "reading": "wait",
  "expired": "bad",
  "pin-asked": "wait",
  "suspended": "wait",
  "unlocking": "wait",
  "blocked": "bad",
  "refused": "bad",
  "up": "good",
  "failed": "bad",
};
