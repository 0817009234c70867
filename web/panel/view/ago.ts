import type { PanelMessages } from "../../i18n/panel_messages.ts";

/** How long ago `at` was at `now` (Unix milliseconds), in one unit. */
export function ago(m: PanelMessages["ago"], at: number, now: number): string {
  const seconds = Math.floor((now - at) / 1000);
  if (seconds < 2) return m.justNow;
  if (seconds < 60) return m.seconds(seconds);
  if (seconds < 3600) return m.minutes(Math.floor(seconds / 60));
  if (seconds < 86_400) return m.hours(Math.floor(seconds / 3600));
  return m.days(Math.floor(seconds / 86_400));
}
