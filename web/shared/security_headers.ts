import type { MiddlewareHandler } from "hono";

/**
 * Headers that keep a page to its own code: no inline script or style, no frame around it, no
 * other origin asked for anything.
 *
 * `hsts` is for a box whose owner brought a certificate that browsers trust. With the box's own
 * authority HSTS would lock people out: it takes away the browser's "continue anyway".
 */
export function securityHeaders(options: { hsts: boolean }): MiddlewareHandler {
  return async (c, next) => {
    await next();
    const headers = c.res.headers;
    headers.set("Content-Security-Policy", POLICY);
    headers.set("X-Content-Type-Options", "nosniff");
    headers.set("X-Frame-Options", "DENY");
    // Not "no-referrer": with it browsers send forms with "Origin: null".
    headers.set("Referrer-Policy", "same-origin");
    headers.set("Cross-Origin-Opener-Policy", "same-origin");
    headers.set("Cross-Origin-Resource-Policy", "same-origin");
    headers.set("Permissions-Policy", "camera=(), microphone=(), geolocation=(), usb=()");
    if (options.hsts) headers.set("Strict-Transport-Security", "max-age=31536000");
    if (!headers.has("Cache-Control")) headers.set("Cache-Control", "no-store");
  };
}

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join("; ");
