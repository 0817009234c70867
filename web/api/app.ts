import { Hono } from "hono";
import * as v from "valibot";
import type { GatewayView } from "../../gateway/view.ts";
import type { Gate } from "../panel/sign_in/gate.ts";
import type { ThroughputHistory } from "../panel/throughput.ts";
import { isLoopback, peerAddress, type PeerEnv } from "../shared/peer.ts";
import { eventStream, type ListenerBudget } from "../shared/sse.ts";
import { journalPage, journalQuerySchema } from "./journal_page.ts";
import { METRICS_TYPE, metricsText } from "./metrics.ts";
import { openapi } from "./openapi.ts";

export interface ApiOptions {
  readonly gate: Gate;
  readonly throughput: ThroughputHistory;
  readonly budget: ListenerBudget;
  readonly signal?: AbortSignal | undefined;
}

/**
 * What programs and the panel's own page ask. `/healthz` and the API's description are open;
 * `/metrics` is for this machine and for who is signed in; the rest needs a sign-in.
 */
export function apiApp(view: GatewayView, options: ApiOptions): Hono<PeerEnv> {
  const { gate, throughput, budget, signal } = options;
  const { version } = view.status();
  const app = new Hono<PeerEnv>();

  app.get("/healthz", (c) => c.json({ status: "ok", version }));

  app.get("/metrics", async (c) => {
    if (!isLoopback(peerAddress(c)) && !await gate.admits(c)) {
      return c.json({ error: "Cannot show metrics: ask from this machine, or sign in" }, 401);
    }
    return c.body(metricsText(view.status(), { listeners: budget.total }), 200, {
      "Content-Type": METRICS_TYPE,
    });
  });

  app.get("/api/v1/openapi.json", (c) => c.json(openapi(version)));
  app.use("/api/v1/*", gate.middleware());
  app.get("/api/v1/status", (c) => c.json(view.status()));
  app.get("/api/v1/throughput", (c) => c.json({ samples: throughput.samples }));

  app.get("/api/v1/journal", (c) => {
    const query = v.safeParse(journalQuerySchema, c.req.query());
    if (query.success) return c.json(journalPage(view, query.output));
    const issue = query.issues[0];
    const error = `Cannot read the query: ${v.getDotPath(issue) ?? ""}: ${issue.message}`;
    return c.json({ error }, 400);
  });

  app.get("/api/v1/ruleset", async (c) => c.json({ ruleset: await view.ruleset() }));

  app.get("/api/v1/events", async (c) => {
    const isSignedIn = await gate.watch(c);
    return eventStream((sink) => {
      sink.send("status", view.status());
      return view.subscribe((event) => {
        if (!isSignedIn()) {
          sink.send("signed-out", {});
          return sink.close();
        }
        switch (event.type) {
          case "session":
            return void sink.send("session", event.session);
          case "status":
            return void sink.send("status", event.status);
          case "share":
            return void sink.send("share", event.share);
          case "journal":
            return void sink.send("journal", event.entry);
          default:
            return event satisfies never;
        }
      });
    }, { method: c.req.method, budget, address: peerAddress(c), signal });
  });

  app.post("/api/v1/session/end", async (c) => {
    await view.lock(`administrator at ${peerAddress(c)}`);
    return c.json({ session: view.session() });
  });
  app.post("/api/v1/share/revoke", (c) => {
    const wasHeld = view.leases.revoke(`administrator at ${peerAddress(c)}`);
    return c.json({ revoked: wasHeld });
  });
  return app;
}
