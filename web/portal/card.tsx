import { LONGEST_USER_ID } from "../../token/pin/user_id.ts";
import { type Language, portalMessages } from "../i18n/messages.ts";
import { type PhaseNotice, phaseNotice, shareNotice } from "./notice.ts";
import { PhaseIcon } from "./phase_icon.tsx";
import { PasskeyPart } from "./passkey_part.tsx";
import type { PortalShare, PortalState } from "./state.ts";

/** What the page knows beside the gateway's state; the server always renders the calm one. */
export interface LocalState {
  /** A PIN was sent and is not answered yet. */
  readonly sending: boolean;
  /** What came of the last PIN, where the phase doesn't say it. */
  readonly outcome: string | undefined;
  /** It is no bad news. */
  readonly isGood: boolean;
  readonly offline: boolean;
  /** The browser knows passkeys. */
  readonly knowsPasskeys: boolean;
}

export const CALM: LocalState = {
  sending: false,
  outcome: undefined,
  isGood: false,
  offline: false,
  knowsPasskeys: false,
};

/** The one card that a terminal sees; rendered by the server first and by the page from then on. */
export function PortalCard(
  props: { state: PortalState; local: LocalState; language: Language },
) {
  const { state, local, language } = props;
  const notice = phaseNotice(state, language);
  const messages = portalMessages(language, state.token);
  return (
    <section class={`card tone-${notice.tone}`} data-phase={state.phase}>
      <PhaseIcon phase={state.phase} />
      <div class="said" role="status" aria-live="polite" aria-atomic="true">
        <h1>{notice.title}</h1>
        {notice.lines.map((line) => <Line key={line} text={line} />)}
        <Alert notice={notice} local={local} offlineText={messages.offline} />
      </div>
      {notice.asksPin
        ? (
          <PinForm
            state={state}
            local={local}
            language={language}
            asksUserId={notice.asksUserId ?? false}
          />
        )
        : null}
      {notice.button === undefined
        ? null
        : <button type="button" class="quiet" data-action="give-up-pin">{notice.button}</button>}
      {state.share === undefined ? null : <ShareNote share={state.share} language={language} />}
    </section>
  );
}

function Line(props: { text: string }) {
  return <p>{props.text}</p>;
}

function Alert(props: { notice: PhaseNotice; local: LocalState; offlineText: string }) {
  const text = props.local.offline
    ? props.offlineText
    : props.local.outcome ?? props.notice.alert ?? "";
  const isGood = props.local.isGood && text === props.local.outcome;
  return (
    <p class={text === "" ? "alert empty" : isGood ? "alert good" : "alert"} id="alert">{text}</p>
  );
}

/** Who has the shared card, where this terminal stands, and the way out of the queue. */
function ShareNote(props: { share: PortalShare; language: Language }) {
  const said = shareNotice(props.share, props.language);
  return (
    <div class="share" role="status" aria-live="polite" aria-atomic="true" id="share">
      {said.lines.map((line) => <Line key={line} text={line} />)}
      {said.button === undefined
        ? null
        : <button type="button" class="quiet" data-action="give-up">{said.button}</button>}
    </div>
  );
}

function PinForm(
  props: { state: PortalState; local: LocalState; language: Language; asksUserId: boolean },
) {
  const { token } = props.state;
  const { form: m, withId } = portalMessages(props.language, token);
  return (
    <form id="pin-form" novalidate>
      {props.asksUserId
        ? <UserIdField label={withId.label} disabled={props.local.sending} />
        : null}
      <label for="pin">{m.label}</label>
      <div class="entry">
        <input
          id="pin"
          type="password"
          inputmode={token === "stick" ? "text" : "numeric"}
          autocomplete="off"
          autocapitalize="off"
          spellcheck={false}
          maxlength={64}
          required
          aria-describedby="alert privacy"
          disabled={props.local.sending}
        />
        <button type="submit" disabled={props.local.sending}>
          {props.local.sending ? m.sending : m.submit}
        </button>
      </div>
      <p class="privacy" id="privacy">{m.privacy}</p>
      <PasskeyPart {...props} />
    </form>
  );
}

function UserIdField(props: { label: string; disabled: boolean }) {
  return (
    <div class="field">
      <label for="user-id">{props.label}</label>
      <input
        id="user-id"
        type="text"
        autocomplete="off"
        autocapitalize="off"
        spellcheck={false}
        maxlength={LONGEST_USER_ID}
        required
        aria-describedby="alert privacy"
        disabled={props.disabled}
      />
    </div>
  );
}
