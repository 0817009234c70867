/** What the panel's page runs: follows the gateway and carries out what its reader presses. */
import type { JournalPage } from "../api/journal_page.ts";
import type {
  GatewayStatus,
  JournalEntry,
  JournalLevel,
  SessionPhase,
  ShareView,
} from "../../gateway/view.ts";
import { byId, embeddedState, pageLanguage } from "../shared/embedded_state.ts";
import { mount } from "../shared/mount.tsx";
import { ThroughputChart } from "./chart.ts";
import { terminalRates } from "./rates.ts";
import { firstScreen, type PanelScreen, type PanelState } from "./state.ts";
import { ThroughputHistory } from "./throughput.ts";
import { Panel } from "./view/panel.tsx";

const MAX_SHOWN_ENTRIES = 1000;

const language = pageLanguage();
const initial = embeddedState<PanelState>();
const throughput = new ThroughputHistory(initial.throughput);
const root = byId("root");
let screen = firstScreen(initial);
const show = mount(
  root,
  (state: PanelScreen) => <Panel screen={state} language={language} />,
  screen,
);
const chart = new ThroughputChart(language);
chart.draw(root.querySelector<HTMLElement>("#chart"), throughput.samples);

function update(change: Partial<PanelScreen>): void {
  screen = { ...screen, ...change };
  show(screen);
}

function onStatus(status: GatewayStatus): void {
  throughput.add(status);
  const rates = terminalRates(screen.status, status);
  update({
    status,
    live: true,
    rates: rates.size === 0 ? screen.rates : rates,
    tunnelRate: status.tunnel && throughput.samples.at(-1),
    ...(screen.ending === "failed" && { ending: "no" as const }),
  });
  // The view is renewed by then, and with it the chart's place.
  setTimeout(() => chart.draw(root.querySelector<HTMLElement>("#chart"), throughput.samples));
}

function onSession(session: SessionPhase): void {
  update({ status: { ...screen.status, session }, ending: "no" });
}

function onJournal(entry: JournalEntry): void {
  const { entries, next, level } = screen.journal;
  if (RANK[entry.level] < RANK[level] || entries.some(({ id }) => id === entry.id)) return;
  update({
    journal: { entries: [entry, ...entries].slice(0, MAX_SHOWN_ENTRIES), next, level },
  });
}

const RANK: Readonly<Record<JournalLevel, number>> = { info: 0, warning: 1, error: 2 };

const events = new EventSource("/api/v1/events");
follow<GatewayStatus>("status", onStatus);
follow<SessionPhase>("session", onSession);
follow<ShareView>("share", onShare);
follow<JournalEntry>("journal", onJournal);
follow("signed-out", () => location.assign("/sign-in?ended"));
events.addEventListener("error", () => {
  update({ live: false });
  // Closed for good: signed out, or no place left. The page itself knows which.
  if (events.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), 3000);
});

function follow<T>(name: string, take: (data: T) => void): void {
  events.addEventListener(name, (event) => {
    take(JSON.parse((event as MessageEvent<string>).data) as T);
  });
}

root.addEventListener("click", (event) => {
  const button = event.target instanceof Element && event.target.closest("[data-action]");
  if (!(button instanceof HTMLButtonElement)) return;
  switch (button.dataset["action"]) {
    case "ask-end":
      update({ ending: "asked" });
      setTimeout(() => root.querySelector<HTMLElement>('[data-action="keep"]')?.focus());
      break;
    case "keep":
      update({ ending: "no" });
      break;
    case "end":
      void endSession();
      break;
    case "revoke":
      void revokeLease();
      break;
    case "older":
      void loadJournal(screen.journal.level, screen.journal.next);
      break;
  }
});

root.addEventListener("change", (event) => {
  const { target } = event;
  if (target instanceof HTMLSelectElement && target.id === "level") {
    void loadJournal(target.value as JournalLevel, undefined);
  }
});

// A toggle event doesn't bubble: it is caught on its way down.
root.addEventListener("toggle", (event) => {
  if (event.target instanceof HTMLDetailsElement && event.target.open) void loadRuleset();
}, true);

async function endSession(): Promise<void> {
  update({ ending: "running" });
  try {
    const response = await fetch("/api/v1/session/end", { method: "POST" });
    update({ ending: response.ok ? "no" : "failed" });
  } catch {
    update({ ending: "failed" });
  }
}

async function revokeLease(): Promise<void> {
  update({ revoking: "running" });
  try {
    const response = await fetch("/api/v1/share/revoke", { method: "POST" });
    update({ revoking: response.ok ? "no" : "failed" });
  } catch {
    update({ revoking: "failed" });
  }
}

function onShare(share: ShareView): void {
  update({ status: { ...screen.status, share } });
}

async function loadJournal(level: JournalLevel, before: number | undefined): Promise<void> {
  const query = new URLSearchParams({ level, ...(before && { before: String(before) }) });
  const page = await getJson<JournalPage>(`/api/v1/journal?${query}`);
  if (page === undefined) return;
  const kept = before === undefined ? [] : screen.journal.entries;
  update({ journal: { entries: [...kept, ...page.entries], next: page.next, level } });
}

async function loadRuleset(): Promise<void> {
  const answer = await getJson<{ ruleset: string }>("/api/v1/ruleset");
  update({ ruleset: answer === undefined ? "failed" : { text: answer.ruleset } });
}

/** Undefined when it could not be had; a sign-in that has ended leads to the sign-in page. */
async function getJson<T>(url: string): Promise<T | undefined> {
  try {
    const response = await fetch(url);
    if (response.status === 401) location.assign("/sign-in?ended");
    return response.ok ? await response.json() as T : undefined;
  } catch {
    return undefined;
  }
}
