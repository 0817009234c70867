import { Hono } from "hono";
import type { GatewayView } from "../../gateway/view.ts";
import { portalMessages } from "../i18n/messages.ts";
import type { Assets } from "../shared/assets.ts";
import { chooseLanguage } from "../shared/language.ts";
import { Mark } from "../shared/mark.tsx";
import { LanguageSwitch, Page } from "../shared/page.tsx";
import { hostName } from "../shared/own_origin.ts";
import type { PeerEnv } from "../shared/peer.ts";
import { securityHeaders } from "../shared/security_headers.ts";
import { captiveState, isCaptive } from "./captive.ts";
import { PROBES } from "./probes.ts";

export interface PlainOptions {
  readonly assets: Assets;
  readonly portalUrl: string;
  /** Port of this app, for the address of its own page. */
  readonly httpPort: number;
  /** Addresses that are this box itself, beside the host of `portalUrl`. */
  readonly hosts: readonly string[];
}

/**
 * Plain HTTP on the portal's address, also for what terminals meant for others and the switch
 * turned here: says what is going on and leads to the portal over HTTPS. It takes nothing in.
 */
export function plainPortalApp(view: GatewayView, options: PlainOptions): Hono<PeerEnv> {
  const app = new Hono<PeerEnv>();
  const { name } = view.status();
  const portal = new URL(options.portalUrl);
  const own = new Set([hostName(portal.host), ...options.hosts.map(hostName)]);
  const home = `http://${portal.hostname}${options.httpPort === 80 ? "" : `:${options.httpPort}`}/`;

  app.use(securityHeaders({ hsts: false }));
  app.get("/captive-portal/api", () => captiveState(view, options.portalUrl));
  app.route("/assets", options.assets.app());
  app.all("*", (c) => {
    const probe = PROBES.get(c.req.path);
    if (probe !== undefined && !isCaptive(view)) {
      return probe.status === 204
        ? c.body(null, 204)
        : c.body(probe.body, 200, { "Content-Type": probe.type });
    }
    const language = chooseLanguage(c);
    const messages = portalMessages(language, view.session().token);
    const notice = isCaptive(view)
      ? messages.plain
      : { title: messages.up.title, text: messages.up.logOff };
    const isOwn = own.has(hostName(c.req.header("Host") ?? new URL(c.req.url).host));
    const status = isOwn && c.req.path === "/" ? 200 : 302;
    if (status === 302) c.header("Location", home);
    return c.html(
      <Page
        class="portal"
        language={language}
        title={notice.title}
        css={options.assets.url("portal.css")}
        goTo={options.portalUrl}
      >
        <header>
          <Mark />
          <span class="name">{name}</span>
        </header>
        <main>
          <section class="card tone-idle">
            <h1>{notice.title}</h1>
            <p>{notice.text}</p>
            <p>{messages.plain.warning}</p>
            <p>
              <a class="button" href={options.portalUrl}>{messages.plain.go}</a>
            </p>
          </section>
        </main>
        <footer>
          <LanguageSwitch language={language} label={messages.language} />
        </footer>
      </Page>,
      status,
    );
  });
  return app;
}
