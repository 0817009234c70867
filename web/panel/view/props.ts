import type { Language } from "../../i18n/messages.ts";
import type { PanelMessages } from "../../i18n/panel_messages.ts";
import type { PanelScreen } from "../state.ts";

/** What every part of the panel gets. */
export interface ViewProps {
  readonly screen: PanelScreen;
  readonly language: Language;
  readonly m: PanelMessages;
}
