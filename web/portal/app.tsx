import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import type { GatewayView, SessionPhase } from "../../gateway/view.ts";
import { type Language, portalMessages, PURSE_MESSAGES } from "../i18n/messages.ts";
import type { Assets } from "../shared/assets.ts";
import { hearOut } from "../shared/hear_out.ts";
import { jsonBody } from "../shared/json_body.ts";
import { chooseLanguage } from "../shared/language.ts";
import { Mark } from "../shared/mark.tsx";
import { LanguageSwitch, Page } from "../shared/page.tsx";
import { hostName, hostOf, ownOrigin } from "../shared/own_origin.ts";
import { peerAddress, type PeerEnv } from "../shared/peer.ts";
import { securityHeaders } from "../shared/security_headers.ts";
import { eventStream, type ListenerBudget } from "../shared/sse.ts";
import { PursePage } from "../purse/page.tsx";
import { cardApp } from "../card/app.ts";
import { leaseSocket } from "../card/socket.ts";
import { captiveState } from "./captive.ts";
import { CALM, PortalCard } from "./card.tsx";
import { MAX_SEALED_PIN_BODY, sealedPinSchema } from "./sealed_pin.ts";
import { type PasskeySite, type PortalState, portalState } from "./state.ts";

export interface PortalOptions {
  readonly assets: Assets;
  /** How terminals reach this app, for example "https://192.168.77.1/". */
  readonly portalUrl: string;
  /** Other names that mean this box. */
  readonly names?: readonly string[];
  /** Where passkeys work; left out: nowhere. */
  readonly passkeys?: PasskeySite | undefined;
  readonly budget: ListenerBudget;
  readonly hsts?: boolean;
  readonly signal?: AbortSignal;
}

/**
 * The portal, served over HTTPS: tells a terminal where the card session stands and takes a PIN
 * that the page sealed to the engine. It holds no state and no secret.
 */
export function portalApp(view: GatewayView, options: PortalOptions): Hono<PeerEnv> {
  const app = new Hono<PeerEnv>();
  const gateway = view.status().name;
  /** What this terminal is told; `terminal`: its name in the shared card's queue. */
  const stateFor = async (
    c: Context<PeerEnv>,
  ): Promise<(session?: SessionPhase) => PortalState> => {
    const terminal = await terminalOf(c);
    const address = peerAddress(c);
    const here = hostName(hostOf(c)) === options.passkeys?.name;
    const site = options.passkeys && { ...options.passkeys, here };
    return (session = view.session()) =>
      portalState(view, { session, gateway, terminal, address, site });
  };
  /** The terminal that asks, where the card is shared. */
  const terminalOf = async (c: Context<PeerEnv>): Promise<string | undefined> =>
    view.share() === undefined ? undefined : (await view.leases.terminalAt(peerAddress(c)))?.key;

  const hosts = [new URL(options.portalUrl).host, ...(options.names ?? [])].map(hostName);
  const sameOrigin = ownOrigin({ scheme: "https", hosts });
  // An upgraded connection has no headers to add to any more.
  app.get("/api/v1/card/socket", sameOrigin, (c) =>
    leaseSocket(view, c.req.raw, {
      address: peerAddress(c),
      budget: options.budget,
      signal: options.signal,
    }));
  app.use(securityHeaders({ hsts: options.hsts ?? false }));
  app.use(hearOut());
  app.use(sameOrigin);

  app.get("/", async (c) => {
    const language = chooseLanguage(c);
    const now = (await stateFor(c))();
    const { assets } = options;
    const mayUseCard = await terminalOf(c) !== undefined;
    return c.html(<PortalPage {...{ state: now, language, assets, mayUseCard }} />);
  });

  app.get("/purse", (c) => {
    const language = chooseLanguage(c);
    return c.html(<PursePage gateway={gateway} language={language} assets={options.assets} />);
  });

  app.get("/api/portal", async (c) => c.json((await stateFor(c))()));

  app.get("/api/events", async (c) => {
    const state = await stateFor(c);
    return eventStream((sink) => {
      sink.send("session", state());
      return view.subscribe((event) => {
        if (event.type === "session") sink.send("session", state(event.session));
        if (event.type === "share") sink.send("session", state());
      });
    }, {
      method: c.req.method,
      budget: options.budget,
      address: peerAddress(c),
      signal: options.signal,
    });
  });

  app.post(
    "/api/pin",
    bodyLimit({
      maxSize: MAX_SEALED_PIN_BODY,
      onError: (c) => c.json({ error: "Cannot take the body: it is too large" }, 413),
    }),
    async (c) => {
      const body = await jsonBody(c, sealedPinSchema);
      if ("refusal" in body) return body.refusal;
      return c.json(await view.submitPin(body.value, peerAddress(c)));
    },
  );

  app.post(
    "/api/pin/give-up",
    (c) =>
      view.giveUpPin(peerAddress(c))
        ? c.body(null, 204)
        : c.json({ error: "Cannot give up: no PIN of this terminal waits" }, 409),
  );

  app.route("/api/v1/card", cardApp(view));
  app.get("/captive-portal/api", () => captiveState(view, options.portalUrl));
  app.route("/assets", options.assets.app());

  app.notFound((c) =>
    c.req.method === "GET" && !c.req.path.startsWith("/api/")
      ? c.redirect("/", 302)
      : c.json({ error: `Cannot find ${c.req.path}` }, 404)
  );
  app.onError((error, c) => {
    view.record("error", "web-failed", { path: c.req.path, reason: error.message.slice(0, 200) });
    return c.json({ error: "Cannot answer: the gateway failed; its journal says why" }, 500);
  });
  return app;
}

function PortalPage(
  props: { state: PortalState; language: Language; assets: Assets; mayUseCard: boolean },
) {
  const { state, language, assets, mayUseCard } = props;
  const messages = portalMessages(language, state.token);
  return (
    <Page
      class="portal"
      language={language}
      title={state.gateway}
      css={assets.url("portal.css")}
      script={assets.url("portal.js")}
      reloadWithoutScript={5}
      state={state}
    >
      <header>
        <Mark />
        <span class="name">{state.gateway}</span>
      </header>
      <main id="root">
        <PortalCard state={state} local={CALM} language={language} />
      </main>
      <noscript>
        <p class="needs-script">{messages.form.needsScript}</p>
      </noscript>
      <footer>
        <button id="speech" type="button" class="quiet" aria-pressed="false" hidden>
          {messages.speech.on}
        </button>
        {mayUseCard ? <a href="/purse">{PURSE_MESSAGES[language].title}</a> : null}
        <LanguageSwitch language={language} label={messages.language} />
      </footer>
    </Page>
  );
}
