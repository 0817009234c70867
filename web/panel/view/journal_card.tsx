import type { JournalEntry, JournalLevel } from "../../../gateway/view.ts";
import type { PanelMessages } from "../../i18n/panel_messages.ts";
import { formatMoment } from "../../shared/format.ts";
import { Card, Empty } from "./parts.tsx";
import type { ViewProps } from "./props.ts";

const LEVELS: readonly JournalLevel[] = ["info", "warning", "error"];

/** What happened, newest first. */
export function JournalCard({ screen, language, m }: ViewProps) {
  const { entries, next, level } = screen.journal;
  const j = m.journal;
  return (
    <Card
      id="journal"
      title={j.title}
      aside={
        <label class="filter">
          <span>{j.filter}</span>
          <select id="level" data-action="level">
            {LEVELS.map((one) => (
              <LevelOption key={one} value={one} selected={one === level} name={j.atLeast[one]} />
            ))}
          </select>
        </label>
      }
    >
      {entries.length === 0 ? <Empty text={j.none} /> : (
        <ol class="journal">
          {entries.map((entry) => (
            <EntryLine key={String(entry.id)} entry={entry} language={language} m={m} />
          ))}
        </ol>
      )}
      {next === undefined
        ? null
        : <button type="button" class="quiet" data-action="older">{j.older}</button>}
    </Card>
  );
}

function LevelOption(props: { value: JournalLevel; selected: boolean; name: string }) {
  return <option value={props.value} selected={props.selected}>{props.name}</option>;
}

function EntryLine(
  { entry, language, m }: { entry: JournalEntry } & Pick<ViewProps, "language" | "m">,
) {
  const j = m.journal;
  return (
    <li class={entry.level}>
      <time datetime={new Date(entry.at).toISOString()}>{formatMoment(entry.at, language)}</time>
      <div>
        <strong>{j.event[entry.event] ?? entry.event}</strong> {entry.level === "info"
          ? null
          : <span class={`badge ${entry.level}`}>{j.level[entry.level]}</span>}{" "}
        <span class="detail">{detailText(entry, m)}</span>
      </div>
    </li>
  );
}

function detailText(entry: JournalEntry, m: PanelMessages): string {
  const faults: Readonly<Record<string, string>> = m.session.fault;
  return Object.entries(entry.detail).map(([name, value]) => {
    const words = name === "fault" ? faults : m.journal.value[name];
    return `${m.journal.detail[name] ?? name}: ${words?.[value] ?? valueText(name, value)}`;
  }).join(" · ");
}

/** Durations are kept in milliseconds, by names that say so. */
function valueText(name: string, value: string | number): string {
  return typeof value === "number" && name.endsWith("Ms")
    ? `${(value / 1000).toFixed(1)} s`
    : String(value);
}
