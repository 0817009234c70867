import assert from "node:assert/strict";
import { testAssets } from "../testing/assets.ts";
import { FakeGateway } from "../testing/fake_gateway.ts";
import { plainPortalApp } from "./plain_app.tsx";
import { PROBES } from "./probes.ts";

const UP = { phase: "up", holder: "Hanako Sato", since: 0, expiresAt: 0 } as const;

async function open() {
  const view = await FakeGateway.open();
  const app = plainPortalApp(view, {
    assets: await testAssets(),
    portalUrl: "https://192.0.2.1:8443/",
    httpPort: 8080,
    hosts: ["192.0.2.1"],
  });
  return { view, app };
}

Deno.test("any request of any host is led to the explanation, and from there to the portal", async () => {
  const { app } = await open();
  for (const method of ["GET", "POST", "PUT"]) {
    const response = await app.request("http://office.example/some/page?x=1", { method });
    assert.equal(response.status, 302);
    assert.equal(response.headers.get("Location"), "http://192.0.2.1:8080/");
    assert.ok((await response.text()).includes("https://192.0.2.1:8443/"));
  }
  const page = await app.request("http://192.0.2.1:8080/");
  assert.equal(page.status, 200);
  const html = await page.text();
  assert.match(html, /<meta http-equiv="refresh" content="\d+; url=https:\/\/192\.0\.2\.1:8443\/"/);
  assert.ok(html.includes("This network needs a card"));
  assert.ok(!html.includes("<input"));
  const japanese = await app.request("http://192.0.2.1:8080/", {
    headers: { "Accept-Language": "ja" },
  });
  assert.ok((await japanese.text()).includes("このネットワークにはカードが必要です"));
});

Deno.test("probes are led to the portal until a session is up, and satisfied then", async () => {
  const { view, app } = await open();
  for (const path of PROBES.keys()) {
    assert.equal((await app.request(`http://probe.example${path}`)).status, 302, path);
  }
  view.move(UP);
  for (const [path, probe] of PROBES) {
    const response = await app.request(`http://probe.example${path}`);
    assert.equal(response.status, probe.status, path);
    assert.equal(await response.text(), probe.body);
  }
  const own = await (await app.request("http://192.0.2.1:8080/")).text();
  assert.ok(own.includes("You are connected"));
});

Deno.test("the captive portal API answers here too", async () => {
  const { app } = await open();
  const response = await app.request("http://192.0.2.1:8080/captive-portal/api");
  assert.equal(response.headers.get("Content-Type"), "application/captive+json");
  assert.equal((await response.json()).captive, true);
});
