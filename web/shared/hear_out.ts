import type { MiddlewareHandler } from "hono";

/** A body is heard out up to this size, in bytes; a refused one has no use for more. */
const MAX_HEARD = 16 << 20;
/** And for so long. */
const PATIENCE_MS = 5_000;

/**
 * Reads what a request still has to say before it is answered: over HTTP/2 the server drops the
 * stream of a request whose body nobody read, and its answer, a refusal say, is lost with it.
 * Nothing is kept. RFC 9113 section 8.1 allows the early answer; the runtime doesn't send it.
 */
export function hearOut(): MiddlewareHandler {
  return async (c, next) => {
    const { body } = c.req.raw;
    await next();
    if (body === null || body.locked) return;
    const reader = body.getReader();
    const enough = setTimeout(() => void reader.cancel().catch(() => {}), PATIENCE_MS);
    try {
      for (let heard = 0; heard < MAX_HEARD;) {
        const { done, value } = await reader.read();
        if (done) return;
        heard += value.length;
      }
      await reader.cancel();
    } catch {
      // It broke off in the middle: then nobody waits for the answer.
    } finally {
      clearTimeout(enough);
      reader.releaseLock();
    }
  };
}
