import type { Context, MiddlewareHandler } from "hono";

/**
 * Refuses requests that another site's page made: those that change something need an `Origin`
 * that is this very server, and no request of any method may carry a foreign one.
 *
 * Cookies with SameSite=Strict are the second wall; this is the first, and the only one for the
 * portal, which has no cookies. Programs that POST must say `Origin` too.
 *
 * @param options.scheme How this server is reached.
 * @param options.hosts Names that may stand in `Host` besides IP addresses and `localhost`, which
 *   no foreign name server can turn to this box. Undefined: any name.
 */
export function ownOrigin(
  options: { scheme: "https" | "http"; hosts?: readonly string[] },
): MiddlewareHandler {
  return async (c, next) => {
    const host = hostOf(c);
    if (options.hosts !== undefined && !isKnownHost(host, options.hosts)) {
      return refuse(c, "Cannot answer for this host name: use the address of this gateway");
    }
    const origin = c.req.header("Origin");
    const changes = c.req.method !== "GET" && c.req.method !== "HEAD";
    if (origin === undefined ? changes : origin !== `${options.scheme}://${host}`) {
      return refuse(c, "Cannot take a request from another origin: send it from this site");
    }
    if (c.req.header("Sec-Fetch-Site") === "cross-site" && c.req.path.startsWith("/api/")) {
      return refuse(c, "Cannot take a request from another site: send it from this site");
    }
    await next();
  };
}

function isKnownHost(host: string, names: readonly string[]): boolean {
  const name = hostName(host);
  return name === "localhost" || /^[0-9.]+$/.test(name) || name.startsWith("[") ||
    names.includes(name);
}

/** What the client calls this server; HTTP/2 has no `Host`. */
export function hostOf(c: Context): string {
  return c.req.header("Host") ?? new URL(c.req.url).host;
}

/** The host without its port, in lower case; IPv6 keeps its brackets. */
export function hostName(host: string): string {
  return host.replace(/:\d+$/, "").toLowerCase();
}

function refuse(c: Context, error: string): Response {
  return c.json({ error }, 403);
}
