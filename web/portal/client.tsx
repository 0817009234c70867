/** What the portal page runs: follows the session and sends PINs, sealed here. */
import type { PinOutcome } from "../../gateway/view.ts";
import { portalMessages } from "../i18n/messages.ts";
import { byId, embeddedState, pageLanguage } from "../shared/embedded_state.ts";
import { mount } from "../shared/mount.tsx";
import { CALM, type LocalState, PortalCard } from "./card.tsx";
import { enterPasskey, enterPin, PinTooLong } from "./enter_pin.ts";
import { phaseNotice, shareNotice } from "./notice.ts";
import { askPasskey, knowsPasskeys, makePasskey, NoPasskey } from "./passkey.ts";
import { Speaker } from "./speaker.ts";
import type { PortalState } from "./state.ts";

const language = pageLanguage();
const messages = portalMessages(language);
const speaker = new Speaker(language);

let state = embeddedState<PortalState>();
let local: LocalState = { ...CALM, knowsPasskeys: knowsPasskeys() };
/** Ends the question that a passkey is asked, when it is of no use any more. */
let asking: AbortController | undefined;
const CALM_WORDS = { isGood: false };

const root = byId("root");
const show = mount(
  root,
  (both: { state: PortalState; local: LocalState }) => (
    <PortalCard state={both.state} local={both.local} language={language} />
  ),
  { state, local },
);
focusPin();

function update(next: { state?: PortalState; local?: Partial<LocalState> }): void {
  const before = state;
  state = next.state ?? state;
  local = {
    ...local,
    ...(next.local !== undefined && "outcome" in next.local && CALM_WORDS),
    ...next.local,
  };
  show({ state, local });
  if (state.target?.engine !== before.target?.engine) asking?.abort();
  if (state.phase !== before.phase) setTimeout(focusPin);
  if (JSON.stringify(state) !== JSON.stringify(before) || next.local?.outcome) speak();
}

function speak(): void {
  const notice = phaseNotice(state, language);
  const share = state.share === undefined ? [] : shareNotice(state.share, language).lines;
  const alert = local.outcome ?? notice.alert ?? "";
  speaker.say([notice.title, ...notice.lines, alert, ...share].join(" "));
}

function pinField(): HTMLInputElement | null {
  return root.querySelector<HTMLInputElement>("#pin");
}

function userIdField(): HTMLInputElement | null {
  return root.querySelector<HTMLInputElement>("#user-id");
}

/** To the first thing that is asked for. */
function focusPin(): void {
  const id = userIdField();
  (id?.value === "" ? id : pinField())?.focus();
}

root.addEventListener("submit", (event) => {
  event.preventDefault();
  const { submitter } = event as SubmitEvent;
  // The first button is what a browser takes for the return key.
  const isNamed = document.activeElement?.id === "passkey-name";
  void submit(isNamed || submitter instanceof HTMLButtonElement && submitter.value === "add");
});

root.addEventListener("click", (event) => {
  const button = event.target instanceof Element && event.target.closest("[data-action]");
  if (!(button instanceof HTMLButtonElement)) return;
  if (button.dataset["action"] === "passkey") return void usePasskey();
  const way = WAYS_OUT[button.dataset["action"] ?? ""];
  if (way === undefined) return;
  button.disabled = true;
  const again = () => button.disabled = false;
  fetch(way, { method: "POST" }).then(again, again);
});

/** What the buttons that end this terminal's part ask for. */
const WAYS_OUT: Readonly<Record<string, string>> = {
  "give-up": "/api/v1/card/give-up",
  "give-up-pin": "/api/pin/give-up",
};

async function submit(adds: boolean): Promise<void> {
  const field = pinField();
  const userId = userIdField()?.value;
  if (field === null || local.sending) return;
  if (field.value === "" || userId?.trim() === "") return focusPin();
  const typed = root.querySelector<HTMLInputElement>("#passkey-name")?.value ?? "";
  const name = typed.replaceAll(/\p{C}/gu, "").trim() ||
    portalMessages(language, state.token).passkey.usualName;
  const pin = new TextEncoder().encode(field.value);
  field.value = "";
  await sending(async (target) => {
    if (!adds) return await enterPin(pin, { target, userId });
    const prf = await question((signal) =>
      makePasskey(target, { signal, gateway: state.gateway, holder: holder(), called: name })
    );
    return await enterPin(pin, { target, userId, adds: { prf, name } }).finally(() => prf.fill(0));
  }, () => pin.fill(0));
}

async function usePasskey(): Promise<void> {
  if (local.sending) return;
  await sending(async (target) => {
    const prf = await question((signal) => askPasskey(target, { signal }));
    return await enterPasskey(prf, target).finally(() => prf.fill(0));
  });
}

/** Shows that the person is to answer their device, until they did or the card went. */
async function question(ask: (signal: AbortSignal) => Promise<Uint8Array>): Promise<Uint8Array> {
  asking = new AbortController();
  const outcome = portalMessages(language, state.token).passkey.asking;
  update({ local: { outcome, isGood: true } });
  try {
    return await ask(asking.signal);
  } finally {
    asking = undefined;
    update({ local: { outcome: undefined } });
  }
}

function holder(): string {
  return (state.phase === "pin-asked" ? state.holder : undefined) ?? state.gateway;
}

async function sending(
  work: (target: NonNullable<PortalState["target"]>) => Promise<PinOutcome>,
  wipe: () => void = () => {},
): Promise<void> {
  const { target } = state;
  update({ local: { sending: true, outcome: undefined } });
  const answer = () =>
    target === undefined ? Promise.resolve({ outcome: "stale" } as const) : work(target);
  const outcome = await said(answer).finally(wipe);
  const isGood = outcome === portalMessages(language, state.token).passkey.added;
  update({ local: { sending: false, outcome, isGood } });
  setTimeout(focusPin);
}

/** Sends what proves the holder; returns what to say where the session's phase won't. */
async function said(work: () => Promise<PinOutcome>): Promise<string | undefined> {
  const { outcome: m, passkey } = portalMessages(language, state.token);
  try {
    const answer = await work();
    switch (answer.outcome) {
      case "busy":
        return m.busy;
      case "not-tried":
        // With the state that goes with it: an event that comes later would wipe the words.
        update({ state: await present() });
        return m.notTried;
      case "given-up":
        update({ state: await present() });
        return m.givenUp;
      case "not-asked":
        return m.notAsked;
      case "stale":
        update({ state: await present() });
        return m.stale;
      case "card-gone":
        return m.cardGone;
      case "up":
        if (answer.passkey === undefined) return undefined;
        update({ state: await present() });
        return answer.passkey === "added" ? passkey.added : passkey.notAdded;
      case "wrong-passkey":
        update({ state: await present() });
        return passkey.wrong(answer.triesLeft);
      case "wrong-pin":
      case "wrong-id-or-pin":
      case "blocked":
      case "refused":
      case "failed":
        return undefined;
      default:
        return answer satisfies never;
    }
  } catch (error) {
    if (error instanceof NoPasskey) return passkey.none[error.why](error.message);
    return error instanceof PinTooLong ? m.tooLong : m.unreachable;
  }
}

async function present(): Promise<PortalState> {
  return await (await fetch("/api/portal")).json() as PortalState;
}

const events = new EventSource("/api/events");
events.addEventListener("session", (event) => {
  const next = JSON.parse((event as MessageEvent<string>).data) as PortalState;
  const moved = JSON.stringify(next) !== JSON.stringify(state);
  update({ state: next, local: { offline: false, ...(moved && { outcome: undefined }) } });
});
events.addEventListener("error", () => {
  update({ local: { offline: true } });
  if (events.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), 5000);
});

const toggle = byId("speech");
toggle.hidden = !speaker.available;
toggle.addEventListener("click", () => {
  speaker.enabled = !speaker.enabled;
  toggle.setAttribute("aria-pressed", String(speaker.enabled));
  toggle.textContent = speaker.enabled ? messages.speech.off : messages.speech.on;
  speak();
});
