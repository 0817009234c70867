import assert from "node:assert/strict";
import { generateSignedCookie } from "hono/cookie";
import { judge } from "../../token/capabilities/judge.ts";
import { ListenerBudget } from "../shared/sse.ts";
import { testAssets } from "../testing/assets.ts";
import { FAKE_PASSWORD, FakeGateway } from "../testing/fake_gateway.ts";
import { SseReader } from "../testing/sse_reader.ts";
import { panelApp } from "./app.tsx";
import { IDLE_MS, LIFETIME_MS } from "./sign_in/sessions.ts";

const ORIGIN = "https://192.0.2.1:8444";
const ADMIN = "192.0.2.50";

async function open() {
  const view = await FakeGateway.open();
  const clock = { now: Date.UTC(2030, 0, 1) };
  const budget = new ListenerBudget({ total: 8, perAddress: 4 });
  const app = panelApp(view, { assets: await testAssets(), budget, now: () => clock.now });
  const ask = (path: string, init: RequestInit & { from?: string } = {}) => {
    const { from = ADMIN, ...rest } = init;
    return app.request(ORIGIN + path, rest, {
      remoteAddr: { transport: "tcp", hostname: from, port: 50_000 },
    });
  };
  const signIn = (password: string, init: { from?: string; headers?: HeadersInit } = {}) =>
    ask("/sign-in", {
      method: "POST",
      headers: { Origin: ORIGIN, "Content-Type": "application/x-www-form-urlencoded" },
      ...init,
      body: new URLSearchParams({ user: "admin", password }),
    });
  const cookie = async (): Promise<string> => {
    const response = await signIn(FAKE_PASSWORD);
    assert.equal(response.status, 303);
    return response.headers.get("Set-Cookie")?.split(";")[0] ?? "";
  };
  return { view, clock, budget, ask, signIn, cookie };
}

const GUARDED = [
  "/api/v1/status",
  "/api/v1/events",
  "/api/v1/journal",
  "/api/v1/ruleset",
  "/api/v1/throughput",
];

Deno.test("signing in gives a host-bound cookie, and with it the panel", async () => {
  const { view, ask, signIn } = await open();
  assert.equal((await ask("/")).headers.get("Location"), "/sign-in");
  const response = await signIn(FAKE_PASSWORD);
  const set = response.headers.get("Set-Cookie") ?? "";
  assert.match(set, /^__Host-session=/);
  for (const flag of ["Path=/", "HttpOnly", "Secure", "SameSite=Strict"]) {
    assert.ok(set.includes(flag), flag);
  }
  assert.ok(!/domain/i.test(set));
  const headers = { Cookie: set.split(";")[0] ?? "" };
  const page = await ask("/", { headers });
  assert.equal(page.status, 200);
  assert.ok((await page.text()).includes("Test gateway"));
  for (const path of GUARDED) {
    const answer = await ask(path, { headers });
    assert.equal(answer.status, 200, path);
    await answer.body?.cancel();
  }
  assert.deepEqual(view.entries.map(({ event }) => event), ["admin-signed-in"]);
});

Deno.test("without a cookie, or with a forged one, nothing is told and nothing done", async () => {
  const { view, ask, cookie } = await open();
  view.move({ phase: "up", holder: "Hanako Sato", since: 0, expiresAt: 0 });
  const real = await cookie();
  const id = decodeURIComponent(real.split("=")[1] ?? "").split(".")[0] ?? "";
  const otherKey = await generateSignedCookie("session", id, "another key", { prefix: "host" });
  const forged = [
    "",
    `__Host-session=${id}`,
    `__Host-session=${id}.AAAA`,
    real.replace("__Host-session=", "session="),
    real.replace(/=(.)/, (_, first) => `=${first === "A" ? "B" : "A"}`),
    otherKey.split(";")[0] ?? "",
  ];
  for (const one of forged) {
    const headers = { Cookie: one, Origin: ORIGIN };
    for (const path of GUARDED) {
      const answer = await ask(path, { headers });
      assert.equal(answer.status, 401, `${path} with "${one}"`);
      assert.deepEqual(Object.keys(await answer.json()), ["error"]);
    }
    const end = await ask("/api/v1/session/end", { method: "POST", headers });
    assert.equal(end.status, 401);
    assert.equal((await ask("/", { headers })).status, 303);
  }
  assert.deepEqual(view.locks, []);
});

Deno.test("another site's page can't end the session, nor sign anyone out", async () => {
  const { view, ask, cookie } = await open();
  const Cookie = await cookie();
  for (const Origin of ["https://evil.example", "null", "http://192.0.2.1:8444", undefined]) {
    const headers = { Cookie, ...(Origin && { Origin }) };
    for (const path of ["/api/v1/session/end", "/sign-out", "/sign-in"]) {
      assert.equal((await ask(path, { method: "POST", headers })).status, 403, path);
    }
  }
  const crossSite = { Cookie, Origin: ORIGIN, "Sec-Fetch-Site": "cross-site" };
  const end = await ask("/api/v1/session/end", { method: "POST", headers: crossSite });
  assert.equal(end.status, 403);
  assert.deepEqual(view.locks, []);
  assert.equal((await ask("/api/v1/status", { headers: { Cookie } })).status, 200);
});

Deno.test("ending the session says who did it", async () => {
  const { view, ask, cookie } = await open();
  view.move({ phase: "up", holder: "Hanako Sato", since: 0, expiresAt: 0 });
  const headers = { Cookie: await cookie(), Origin: ORIGIN };
  const response = await ask("/api/v1/session/end", { method: "POST", headers });
  assert.deepEqual(await response.json(), { session: { phase: "no-card" } });
  assert.deepEqual(view.locks, [`administrator at ${ADMIN}`]);
});

Deno.test("a sign-in ends by idling, by age and by signing out", async () => {
  const { clock, ask, cookie } = await open();
  const status = async (headers: HeadersInit) => (await ask("/api/v1/status", { headers })).status;

  const idle = { Cookie: await cookie() };
  clock.now += IDLE_MS - 1;
  assert.equal(await status(idle), 200); // and starts the idle time anew
  clock.now += IDLE_MS - 1;
  assert.equal(await status(idle), 200);
  clock.now += IDLE_MS;
  assert.equal(await status(idle), 401);

  const old = { Cookie: await cookie() };
  for (let age = 0; age < LIFETIME_MS - IDLE_MS; age += IDLE_MS - 1) {
    clock.now += IDLE_MS - 1;
    if (age + IDLE_MS - 1 < LIFETIME_MS) assert.equal(await status(old), 200);
  }
  clock.now += IDLE_MS - 1;
  assert.equal(await status(old), 401);

  const out = { Cookie: await cookie(), Origin: ORIGIN };
  const response = await ask("/sign-out", { method: "POST", headers: out });
  assert.equal(response.headers.get("Location"), "/sign-in?ended");
  assert.match(response.headers.get("Set-Cookie") ?? "", /__Host-session=;.*Max-Age=0/);
  assert.equal(await status(out), 401);
});

Deno.test("wrong passwords are told, written down and slowed down", async () => {
  const { view, clock, signIn } = await open();
  for (let n = 0; n < 4; n++) {
    const response = await signIn("wrong");
    assert.equal(response.status, 401);
    assert.ok((await response.text()).includes("Wrong password."));
    assert.equal(response.headers.get("Set-Cookie"), null);
  }
  assert.equal(view.passwordChecks, 4);
  const slowed = await signIn(FAKE_PASSWORD);
  assert.equal(slowed.status, 429);
  assert.equal(slowed.headers.get("Retry-After"), "2");
  assert.ok((await slowed.text()).includes("Try again in 2 seconds"));
  assert.equal(view.passwordChecks, 4, "not even the right one is looked at");
  assert.equal((await signIn(FAKE_PASSWORD, { from: "192.0.2.51" })).status, 303);
  clock.now += 2000;
  assert.equal((await signIn("wrong")).status, 401);
  assert.equal((await signIn("wrong")).headers.get("Retry-After"), "4");
  clock.now += 4000;
  assert.equal((await signIn(FAKE_PASSWORD)).status, 303);
  assert.equal((await signIn("wrong")).status, 401, "afresh after the right one");
  const refused = view.entries.filter(({ event }) => event === "admin-refused");
  assert.equal(refused.length, 6);
  assert.ok(!JSON.stringify(view.entries).includes(FAKE_PASSWORD));
});

Deno.test("tries at the same time don't slip through together", async () => {
  const { view, signIn } = await open();
  const answers = await Promise.all(Array.from({ length: 40 }, () => signIn("wrong")));
  assert.ok(view.passwordChecks <= 4, `${view.passwordChecks} passwords were looked at`);
  assert.ok(answers.every(({ status }) => [401, 429, 503].includes(status)));
});

Deno.test("what is not a sign-in form gets 4xx", async () => {
  const { view, ask } = await open();
  const post = (body: string, type = "application/x-www-form-urlencoded") =>
    ask("/sign-in", { method: "POST", headers: { Origin: ORIGIN, "Content-Type": type }, body });
  assert.equal((await post("user=admin")).status, 400);
  assert.equal((await post(`password=${"x".repeat(2000)}`)).status, 400);
  assert.equal((await post(`password=${"x".repeat(10_000)}`)).status, 413);
  assert.equal((await post(`{"password":"x"}`, "application/json")).status, 415);
  assert.equal(view.passwordChecks, 0);
});

Deno.test("events tell status, session and journal, until the sign-in ends", async () => {
  const { view, clock, budget, ask, cookie } = await open();
  const headers = { Cookie: await cookie() };
  const events = new SseReader(await ask("/api/v1/events", { headers }));
  const next = async () => (await events.next())?.event;
  assert.equal(await next(), "status");
  view.move({ phase: "reading" });
  assert.equal(await next(), "session");
  view.record("warning", "pin-wrong", { triesLeft: 2 });
  assert.equal(await next(), "journal");
  view.beat();
  assert.equal(await next(), "status");
  clock.now += IDLE_MS;
  view.beat();
  assert.equal(await next(), "signed-out");
  assert.equal(await next(), undefined);
  assert.equal(budget.total, 0);
});

Deno.test("the journal pages, filters and refuses nonsense", async () => {
  const { view, ask, cookie } = await open();
  const headers = { Cookie: await cookie() };
  for (let n = 0; n < 450; n++) view.record(n % 100 === 0 ? "error" : "info", "test", { n });
  const page = async (query: string) =>
    await (await ask(`/api/v1/journal?${query}`, { headers })).json();
  const seen: number[] = [];
  let next: number | undefined;
  do {
    const { entries, ...rest } = await page(`limit=200${next ? `&before=${next}` : ""}`);
    seen.push(...entries.map(({ id }: { id: number }) => id));
    next = rest.next;
  } while (next !== undefined);
  assert.deepEqual(seen, Array.from({ length: 451 }, (_, n) => 451 - n));
  const errors = await page("level=error");
  assert.equal(errors.entries.length, 5);
  assert.equal(errors.next, undefined);
  const two = await page("level=error&limit=2");
  const rest = await page(`level=error&before=${two.next}`);
  assert.deepEqual([...two.entries, ...rest.entries], errors.entries);
  for (const query of ["limit=0", "limit=201", "limit=x", "before=-1", "level=loud"]) {
    assert.equal((await ask(`/api/v1/journal?${query}`, { headers })).status, 400, query);
  }
});

Deno.test("host names, holders and readers can't become markup", async () => {
  const { view, ask, cookie } = await open();
  const evil = `</script><script>alert(1)</script><img src=x onerror="alert(2)">`;
  view.patch = {
    warnings: [evil],
    readers: [{ name: evil, card: "present" }],
    terminals: [{ address: evil, mac: evil, name: evil, sentBytes: 0, receivedBytes: 0 }],
    drops: { [evil]: 1 },
    tunnel: {
      interface: evil,
      endpoint: evil,
      sentBytes: 0,
      receivedBytes: 0,
      countedAt: 0,
      lastHandshake: 0,
      identity: "sealed",
      keys: "manual",
      carrier: "userspace",
      addresses: [evil],
      destinations: [evil],
      otherTraffic: "drop",
      inbound: [{ rule: evil, to: [evil] }, { rule: evil, to: [] }],
    },
  };
  view.record("error", evil, { [evil]: evil });
  view.move({ phase: "up", holder: evil, since: 0, expiresAt: 0 });
  const html = await (await ask("/", { headers: { Cookie: await cookie() } })).text();
  assert.ok(!html.includes("<script>alert"));
  assert.ok(!html.includes("<img"));
  assert.ok(html.split("&lt;img").length > 10, "they are shown as text");
  assert.match(html, /Last answer.*data-keys="manual">under a key put by hand/s);
});

Deno.test("healthz and the description are open; metrics need this machine or a sign-in", async () => {
  const { ask, cookie } = await open();
  assert.deepEqual(await (await ask("/healthz")).json(), { status: "ok", version: "0.0.0" });
  assert.equal((await ask("/metrics")).status, 401);
  for (const from of ["127.0.0.1", "::1", "::ffff:127.0.0.1"]) {
    const answer = await ask("/metrics", { from });
    assert.equal(answer.status, 200, from);
    assert.match(await answer.text(), /^sekisho_session_up 0$/m);
  }
  const headers = { Cookie: await cookie() };
  assert.equal((await ask("/metrics", { headers })).status, 200);
});

Deno.test("what the API's description lists is there, as it says", async () => {
  const { ask, cookie } = await open();
  const headers = { Cookie: await cookie(), Origin: ORIGIN };
  const description = await (await ask("/api/v1/openapi.json")).json();
  assert.equal(description.openapi, "3.1.0");
  for (const [path, methods] of Object.entries<Record<string, Described>>(description.paths)) {
    for (const [method, described] of Object.entries(methods)) {
      const open = described.security?.length === 0;
      const without = await ask(path, {
        method: method.toUpperCase(),
        headers: { Origin: ORIGIN },
      });
      assert.equal(without.status, open ? 200 : 401, `${method} ${path}`);
      await without.body?.cancel();
      const answer = await ask(path, { method: method.toUpperCase(), headers });
      assert.equal(answer.status, 200, `${method} ${path}`);
      const type = Object.keys(described.responses[200]?.content ?? {})[0] ?? "none";
      assert.ok(answer.headers.get("Content-Type")?.startsWith(type), `${path}: ${type}`);
      await answer.body?.cancel();
    }
  }
});

interface Described {
  readonly security?: readonly unknown[];
  readonly responses: Readonly<Record<number, { content?: Readonly<Record<string, unknown>> }>>;
}

Deno.test("the card's ways are told with their reasons, to people and to programs", async () => {
  const { view, ask, cookie } = await open();
  const Cookie = await cookie();
  const card = judge({
    application: "piv",
    version: "5.4.3",
    algorithms: undefined,
    x25519Slot: undefined,
    hasProfile: true,
    trial: undefined,
  });
  view.patch = { card: { ...card, application: "piv", carrier: "card" } };
  const en = await (await ask("/", { headers: { Cookie } })).text();
  const ja = await (await ask("/", { headers: { Cookie, "Accept-Language": "ja" } })).text();
  assert.match(en, /data-way="on-card" data-open="no".*Firmware 5\.4\.3 has no X25519; 5\.7 and/);
  assert.match(en, /data-way="card" data-open="yes".*A profile is on the card now\./);
  assert.match(en, /PIV card.*data-carrier="card">on the card/);
  assert.match(ja, /ファームウェア5\.4\.3はX25519に対応していません/);
  const status = await (await ask("/api/v1/status", { headers: { Cookie } })).json();
  assert.deepEqual(status.card.identities[0], {
    way: "on-card",
    open: "no",
    reason: { key: "x25519-old-firmware", version: "5.4.3" },
  });
  const described = await (await ask("/api/v1/openapi.json")).json();
  const { Card, Status } = described.components.schemas;
  assert.ok("card" in Status.properties && !Status.required.includes("card"));
  assert.deepEqual(Object.keys(status.card).sort(), Object.keys(Card.properties).sort());

  view.patch = {};
  assert.match(
    await (await ask("/", { headers: { Cookie } })).text(),
    /Nothing is inserted, or it/,
  );
});

Deno.test("the panel speaks both languages", async () => {
  const { view, ask, cookie } = await open();
  const Cookie = await cookie();
  view.move({ phase: "up", holder: "Hanako Sato", since: 0, expiresAt: 0 });
  const en = await (await ask("/", { headers: { Cookie } })).text();
  const ja = await (await ask("/", { headers: { Cookie, "Accept-Language": "ja" } })).text();
  assert.ok(en.includes("Connected") && en.includes("End session"));
  assert.ok(ja.includes("接続中") && ja.includes("セッションを終了"));
  assert.ok(!/\skey="/.test(en));
  const signIn = await ask("/sign-in", { headers: { "Accept-Language": "ja" } });
  assert.ok((await signIn.text()).includes("管理者パスワード"));
});
