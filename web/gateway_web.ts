import { fileURLToPath } from "node:url";
import type { Hono } from "hono";
import type { GatewayView } from "../gateway/view.ts";
import { panelApp } from "./panel/app.tsx";
import { portalApp } from "./portal/app.tsx";
import type { PasskeySite } from "./portal/state.ts";
import { plainPortalApp } from "./portal/plain_app.tsx";
import { Assets } from "./shared/assets.ts";
import type { PeerEnv } from "./shared/peer.ts";
import { ListenerBudget } from "./shared/sse.ts";

export interface GatewayWebOptions {
  /** Where terminals reach the portal; one entry for each LAN address. Port 0: any free one. */
  readonly portal: readonly {
    readonly hostname: string;
    readonly httpPort: number;
    readonly httpsPort: number;
  }[];
  readonly panel: { readonly hostname: string; readonly port: number };
  /** PEM; the certificate may be followed by its chain. */
  readonly certificate: { readonly cert: string; readonly key: string };
  /** Set when browsers trust the certificate by themselves and always will: turns HSTS on. */
  readonly hsts?: boolean;
  /** Where plain HTTP and the captive portal API send people, "https://192.168.77.1/". */
  readonly portalUrl: string;
  /** Names that mean this box, beside its addresses and the host of `portalUrl`. */
  readonly names?: readonly string[];
  /** Where passkeys work; left out: nowhere. */
  readonly passkeys?: PasskeySite;
  /** Where the bundles are; web/dist/ if not given. */
  readonly assets?: string;
  /** Ends the servers and every open stream. */
  readonly signal: AbortSignal;
}

/** Addresses that are really listened at, in the order of the options. */
export interface GatewayWeb {
  readonly portal: readonly { readonly http: Deno.NetAddr; readonly https: Deno.NetAddr }[];
  readonly panel: Deno.NetAddr;
  /** Resolves when every server has ended. */
  readonly finished: Promise<void>;
}

/**
 * Serves a gateway's portal and panel.
 * @throws {Error} when the bundles are missing or an address can't be listened at; nothing is left
 *   listening then.
 */
export async function serveGatewayWeb(
  view: GatewayView,
  options: GatewayWebOptions,
): Promise<GatewayWeb> {
  const { certificate, portalUrl, signal } = options;
  const assets = await Assets.load(options.assets ?? DIST);
  const servers: Deno.HttpServer<Deno.NetAddr>[] = [];
  const failed = new AbortController();
  const ended = AbortSignal.any([signal, failed.signal]);

  const listen = (at: Listening): Deno.NetAddr => {
    try {
      const server = Deno.serve({
        hostname: at.hostname,
        port: at.port,
        ...(at.tls && certificate),
        onListen: () => {},
      }, (request, info) => app.fetch(request, { remoteAddr: info.remoteAddr }));
      servers.push(server);
      const app = at.app(server.addr.port); // there before the first request can come
      return server.addr;
    } catch (cause) {
      failed.abort();
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new Error(`Cannot serve ${at.what} at ${at.hostname} port ${at.port}: ${reason}`, {
        cause,
      });
    }
  };
  ended.addEventListener("abort", () => {
    for (const server of servers) void server.shutdown();
  }, { once: true });

  const hsts = options.hsts ?? false;
  // One budget each: terminals can't crowd administrators out.
  const portalBudget = new ListenerBudget({ total: 512, perAddress: 8 });
  const panelBudget = new ListenerBudget({ total: 64, perAddress: 16 });
  const names = options.names ?? [];
  const secure = portalApp(view, {
    assets,
    portalUrl,
    names,
    passkeys: options.passkeys,
    budget: portalBudget,
    hsts,
    signal: ended,
  });
  const hosts = [...names, ...options.portal.map(({ hostname }) => urlHost(hostname))];

  const portal = options.portal.map(({ hostname, httpPort, httpsPort }) => {
    const plain = (port: number) =>
      plainPortalApp(view, { assets, portalUrl, httpPort: port, hosts });
    const what = "the portal";
    return {
      https: listen({ what, hostname, port: httpsPort, tls: true, app: () => secure }),
      http: listen({ what, hostname, port: httpPort, tls: false, app: plain }),
    };
  });
  const administration = panelApp(view, { assets, budget: panelBudget, hsts, signal: ended });
  const panel = listen({
    what: "the panel",
    ...options.panel,
    tls: true,
    app: () => administration,
  });
  const finished = Promise.all(servers.map((server) => server.finished)).then(() => {});
  return { portal, panel, finished };
}

/** An address as it stands in URLs and in `Host`. */
function urlHost(hostname: string): string {
  return hostname.includes(":") ? `[${hostname}]` : hostname;
}

interface Listening {
  readonly what: string;
  readonly hostname: string;
  readonly port: number;
  readonly tls: boolean;
  /** Makes what answers there, once the port is known. */
  readonly app: (port: number) => Hono<PeerEnv>;
}

const DIST = fileURLToPath(new URL("./dist", import.meta.url));
