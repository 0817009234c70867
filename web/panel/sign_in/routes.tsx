import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import type { GatewayView } from "../../../gateway/view.ts";
import { PANEL_MESSAGES } from "../../i18n/messages.ts";
import type { Assets } from "../../shared/assets.ts";
import { chooseLanguage } from "../../shared/language.ts";
import { peerAddress, type PeerEnv } from "../../shared/peer.ts";
import type { Gate } from "./gate.ts";
import { SignInLimiter } from "./limiter.ts";
import { SignInPage } from "./page.tsx";

const MAX_BODY = 4096;
const MAX_PASSWORD = 1024;
/** Password checks cost memory and time on purpose; so many may run at once. */
const MAX_CHECKS = 4;

/** Signing in and out, by plain forms: works without any script. */
export function signInRoutes(
  view: GatewayView,
  options: { gate: Gate; assets: Assets; now: () => number },
): Hono<PeerEnv> {
  const { gate, assets, now } = options;
  const limiter = new SignInLimiter();
  const app = new Hono<PeerEnv>();
  const { name } = view.status();
  let checks = 0;

  const page = (
    c: Context<PeerEnv>,
    problem: string | undefined,
    status: 200 | 401 | 429 | 503,
  ) => {
    const language = chooseLanguage(c);
    return c.html(
      <SignInPage language={language} name={name} problem={problem} assets={assets} />,
      status,
    );
  };
  const wait = (c: Context<PeerEnv>, milliseconds: number, status: 429 | 503) => {
    const seconds = Math.ceil(milliseconds / 1000);
    c.header("Retry-After", String(seconds));
    return page(c, PANEL_MESSAGES[chooseLanguage(c)].signIn.wait(seconds), status);
  };

  app.get("/sign-in", async (c) => {
    if (await gate.admits(c)) return c.redirect("/", 303);
    const { ended } = PANEL_MESSAGES[chooseLanguage(c)].signIn;
    return page(c, c.req.query("ended") === undefined ? undefined : ended, 200);
  });

  app.post(
    "/sign-in",
    bodyLimit({
      maxSize: MAX_BODY,
      onError: (c) => c.json({ error: "Cannot take the body: it is too large" }, 413),
    }),
    async (c) => {
      const type = (c.req.header("Content-Type") ?? "").split(";")[0]?.trim().toLowerCase();
      if (type !== "application/x-www-form-urlencoded") {
        return c.json({ error: "Cannot read the body: send a form" }, 415);
      }
      const password = new URLSearchParams(await c.req.text()).get("password");
      if (password === null || password.length > MAX_PASSWORD) {
        return c.json({ error: "Cannot sign in: the form needs a password" }, 400);
      }
      const from = peerAddress(c);
      if (checks >= MAX_CHECKS) return wait(c, 1000, 503);
      const delay = limiter.begin(from, now());
      if (delay > 0) return wait(c, delay, 429);
      checks += 1;
      let right: boolean;
      try {
        right = await view.checkAdminPassword(password);
      } finally {
        checks -= 1;
      }
      if (!right) {
        view.record("warning", "admin-refused", { from });
        return page(c, PANEL_MESSAGES[chooseLanguage(c)].signIn.wrong, 401);
      }
      limiter.succeeded(from);
      await gate.signIn(c);
      view.record("info", "admin-signed-in", { from });
      return c.redirect("/", 303);
    },
  );

  app.post("/sign-out", async (c) => {
    if (await gate.admits(c)) {
      await gate.signOut(c);
      view.record("info", "admin-signed-out", { from: peerAddress(c) });
    }
    return c.redirect("/sign-in?ended", 303);
  });
  return app;
}
