/** What the web refuses, as clients of both HTTP versions see it: an answer, not a broken stream. */
import assert from "node:assert/strict";
import { buildWeb } from "../../web/build.ts";
import { serveGatewayWeb } from "../../web/gateway_web.ts";
import { FakeGateway } from "../../web/testing/fake_gateway.ts";
import { testCertificate } from "./certificate.ts";

const JSON_TYPE = "application/json";

Deno.test("refused requests with a body get their answer, over HTTP/1.1 and HTTP/2", async () => {
  await buildWeb();
  const certificate = await testCertificate();
  const stop = new AbortController();
  const view = await FakeGateway.open();
  const web = await serveGatewayWeb(view, {
    portal: [{ hostname: "127.0.0.1", httpPort: 0, httpsPort: 0 }],
    panel: { hostname: "127.0.0.1", port: 0 },
    certificate,
    portalUrl: "https://127.0.0.1/",
    signal: stop.signal,
  });
  try {
    view.askPin();
    const portal = `https://127.0.0.1:${web.portal[0]?.https.port}`;
    const panel = `https://127.0.0.1:${web.panel.port}`;
    const big = "a".repeat(5_000_000);
    for (const http2 of [false, true]) {
      const post = (url: string, headers: Record<string, string>, body: string) =>
        curl(url, { headers, body, version: http2 ? "--http2" : "--http1.1" });
      const pin = `${portal}/api/pin`;
      assert.equal(await post(pin, { "content-type": JSON_TYPE }, "{}"), 403);
      const foreign = { "content-type": JSON_TYPE, origin: "https://elsewhere.example" };
      assert.equal(await post(pin, foreign, "{}"), 403);
      assert.equal(await post(pin, { "content-type": JSON_TYPE, origin: portal }, "{"), 400);
      assert.equal(await post(pin, { "content-type": JSON_TYPE, origin: portal }, big), 413);
      assert.equal(await post(pin, { "content-type": "text/plain", origin: portal }, "{}"), 415);
      assert.equal(await post(`${panel}/sign-in`, { origin: panel }, big), 413);
      assert.equal(await post(`${panel}/api/v1/session/end`, { origin: panel }, "{}"), 401);
    }
    assert.deepEqual([view.pins, view.session().phase], [[], "pin-asked"], "nothing has changed");
  } finally {
    stop.abort();
    await web.finished;
  }
});

/** Posts as a stock client does; resolves to the status, 0 when there was no answer. */
async function curl(
  url: string,
  { headers, body, version }: { headers: Record<string, string>; body: string; version: string },
): Promise<number> {
  const child = new Deno.Command("curl", {
    args: [
      ...["-sk", version, "-o", "/dev/null", "-w", "%{http_code}", "-m", "120"],
      ...Object.entries({ "content-type": "application/x-www-form-urlencoded", ...headers })
        .flatMap(([name, value]) => ["-H", `${name}: ${value}`]),
      ...["--data-binary", "@-", url],
    ],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(body)).catch(() => {});
  await writer.close().catch(() => {});
  return Number(new TextDecoder().decode((await child.output()).stdout));
}
