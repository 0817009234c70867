import { Hono } from "hono";
import type { GatewayView } from "../../gateway/view.ts";
import { apiApp } from "../api/app.ts";
import { journalPage } from "../api/journal_page.ts";
import { type Language, PANEL_MESSAGES } from "../i18n/messages.ts";
import type { Assets } from "../shared/assets.ts";
import { chooseLanguage } from "../shared/language.ts";
import { hearOut } from "../shared/hear_out.ts";
import { Mark } from "../shared/mark.tsx";
import { ownOrigin } from "../shared/own_origin.ts";
import { LanguageSwitch, Page } from "../shared/page.tsx";
import type { PeerEnv } from "../shared/peer.ts";
import { securityHeaders } from "../shared/security_headers.ts";
import type { ListenerBudget } from "../shared/sse.ts";
import { Gate } from "./sign_in/gate.ts";
import { signInRoutes } from "./sign_in/routes.tsx";
import { firstScreen, type PanelState } from "./state.ts";
import { ThroughputHistory } from "./throughput.ts";
import { Panel } from "./view/panel.tsx";

export interface PanelOptions {
  readonly assets: Assets;
  readonly budget: ListenerBudget;
  readonly hsts?: boolean;
  /** Ends the event streams and lets go of the gateway. */
  readonly signal?: AbortSignal;
  /** Unix milliseconds. */
  readonly now?: () => number;
}

/** Journal entries on a fresh page; older ones come when asked for. */
const FIRST_ENTRIES = 15;

/** The admin panel and the API, served over HTTPS. */
export function panelApp(view: GatewayView, options: PanelOptions): Hono<PeerEnv> {
  const { assets, budget, signal } = options;
  const now = options.now ?? (() => Date.now());
  const gate = new Gate(view.cookieKey(), now);
  const throughput = new ThroughputHistory();
  const forget = view.subscribe((event) => {
    if (event.type === "status") throughput.add(event.status);
  });
  signal?.addEventListener("abort", forget, { once: true });

  const app = new Hono<PeerEnv>();
  app.use(securityHeaders({ hsts: options.hsts ?? false }));
  app.use(hearOut());
  app.use(ownOrigin({ scheme: "https" }));

  app.get("/", async (c) => {
    const language = chooseLanguage(c);
    if (!await gate.admits(c)) return c.redirect("/sign-in", 303);
    const state: PanelState = {
      status: view.status(),
      journal: journalPage(view, { limit: FIRST_ENTRIES, level: "info" }),
      throughput: throughput.samples,
    };
    return c.html(<PanelPage state={state} language={language} assets={assets} />);
  });
  app.route("/", signInRoutes(view, { gate, assets, now }));
  app.route("/", apiApp(view, { gate, throughput, budget, signal }));
  app.route("/assets", assets.app());

  app.notFound((c) => c.json({ error: `Cannot find ${c.req.path}` }, 404));
  app.onError((error, c) => {
    view.record("error", "web-failed", { path: c.req.path, reason: error.message.slice(0, 200) });
    return c.json({ error: "Cannot answer: the gateway failed; its journal says why" }, 500);
  });
  return app;
}

function PanelPage(props: { state: PanelState; language: Language; assets: Assets }) {
  const { state, language, assets } = props;
  const m = PANEL_MESSAGES[language];
  const { name } = state.status;
  return (
    <Page
      class="panel-page"
      language={language}
      title={`${name} · ${m.title}`}
      css={assets.url("panel.css")}
      script={assets.url("panel.js")}
      reloadWithoutScript={10}
      state={state}
    >
      <header class="top">
        <Mark />
        <h1>{name}</h1>
        <LanguageSwitch language={language} label={m.language} />
        <form method="post" action="/sign-out">
          <button type="submit" class="quiet">{m.signOut}</button>
        </form>
      </header>
      <main id="root">
        <Panel screen={firstScreen(state)} language={language} />
      </main>
    </Page>
  );
}
