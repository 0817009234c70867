import type { JournalPage } from "../api/journal_page.ts";
import type { GatewayStatus, JournalEntry, JournalLevel } from "../../gateway/view.ts";
import type { TerminalRate } from "./rates.ts";
import type { ThroughputSample } from "./throughput.ts";

/** What the server hands the panel's page. */
export interface PanelState {
  readonly status: GatewayStatus;
  readonly journal: JournalPage;
  readonly throughput: readonly ThroughputSample[];
}

/** What the page shows: the server's state and what its reader is doing. */
export interface PanelScreen {
  readonly status: GatewayStatus;
  readonly rates: ReadonlyMap<string, TerminalRate>;
  /** The tunnel's rate now; undefined while it is not known. */
  readonly tunnelRate: ThroughputSample | undefined;
  readonly journal: {
    readonly entries: readonly JournalEntry[];
    readonly next: number | undefined;
    readonly level: JournalLevel;
  };
  /** Events come in; undefined before the first try to get them. */
  readonly live: boolean | undefined;
  /** Ending the session is asked for first. */
  readonly ending: "no" | "asked" | "running" | "failed";
  /** Taking the shared card from whoever has it. */
  readonly revoking: "no" | "running" | "failed";
  readonly ruleset: { readonly text: string } | "failed" | undefined;
}

export function firstScreen(state: PanelState): PanelScreen {
  return {
    status: state.status,
    rates: new Map(),
    tunnelRate: state.throughput.at(-1),
    journal: { entries: state.journal.entries, next: state.journal.next, level: "info" },
    live: undefined,
    ending: "no",
    revoking: "no",
    ruleset: undefined,
  };
}
