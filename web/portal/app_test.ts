import assert from "node:assert/strict";
import type { ProfileFault, SessionPhase } from "../../gateway/view.ts";
import { sealPin } from "../../token/pin/seal.ts";
import { SEALED_BYTES } from "../../token/pin/sealed_lengths.ts";
import { fromBase64url, toBase64url } from "../shared/base64url.ts";
import { ListenerBudget } from "../shared/sse.ts";
import { testAssets } from "../testing/assets.ts";
import { FakeGateway } from "../testing/fake_gateway.ts";
import { SseReader } from "../testing/sse_reader.ts";
import { portalApp } from "./app.tsx";
import type { PortalState } from "./state.ts";

const ORIGIN = "https://192.0.2.1";
const PEER = { remoteAddr: { transport: "tcp", hostname: "192.0.2.77", port: 40_000 } } as const;
const EXPIRES = Date.UTC(2031, 4, 17, 12);

async function open({ total = 8, perAddress = 4, passkeys = false } = {}) {
  const view = await FakeGateway.open();
  const limits = { total, perAddress };
  const budget = new ListenerBudget(limits);
  const app = portalApp(view, {
    assets: await testAssets(),
    portalUrl: `${ORIGIN}/`,
    names: ["sekisho.internal", "home.internal"],
    ...(passkeys ? { passkeys: { name: "home.internal", url: "https://home.internal/" } } : {}),
    budget,
  });
  const ask = (path: string, init: RequestInit = {}) => app.request(ORIGIN + path, init, PEER);
  const page = async (language: string) =>
    await (await ask("/", { headers: { "Accept-Language": language } })).text();
  const post = (body: BodyInit, headers: Record<string, string> = {}) =>
    ask("/api/pin", {
      method: "POST",
      headers: { "Origin": ORIGIN, "Content-Type": "application/json", ...headers },
      body,
    });
  return { view, budget, ask, page, post };
}

async function sealed(state: PortalState, pin: string, userId?: string): Promise<string> {
  const publicKey = fromBase64url(state.target?.publicKey ?? "");
  assert.ok(state.target && publicKey);
  const { engine } = state.target;
  const parts = await sealPin(new TextEncoder().encode(pin), { publicKey, engine, userId });
  return JSON.stringify({
    engine,
    enc: toBase64url(parts.enc),
    ciphertext: toBase64url(parts.ciphertext),
  });
}

const holder = "Hanako Sato";
const PHASES: readonly { session: SessionPhase; en: string[]; ja: string[] }[] = [
  { session: { phase: "no-reader" }, en: ["No card reader"], ja: ["カードリーダーがありません"] },
  { session: { phase: "no-card" }, en: ["Insert a card"], ja: ["カードを挿入してください"] },
  {
    session: { phase: "reading" },
    en: ["Reading the card"],
    ja: ["カードを読み取っています"],
  },
  {
    session: { phase: "expired", expiredAt: EXPIRES, holder },
    en: ["This card has expired", "17 May 2031"],
    ja: ["有効期限が切れています", "2031年5月17日"],
  },
  {
    session: { phase: "pin-asked", holder, triesLeft: 3, wrong: false },
    en: ["Enter your PIN", "Card of Hanako Sato.", "3 tries left."],
    ja: ["PIN を入力してください", "Hanako Sato さんのカードです。", "残り 3 回"],
  },
  {
    session: { phase: "pin-asked", holder, triesLeft: 2, wrong: true },
    en: ["Wrong PIN. 2 tries left."],
    ja: ["PIN が違います。残り 2 回です。"],
  },
  {
    session: { phase: "pin-asked", holder, triesLeft: 1, wrong: true },
    en: ["Wrong PIN. 1 try left.", "This is the last try"],
    ja: ["残り 1 回です。", "これが最後の 1 回です。"],
  },
  {
    session: { phase: "pin-asked", holder, triesLeft: 2, wrong: true, asksUserId: true },
    en: ["Enter your user id and PIN", 'id="user-id"', "The user id or the PIN is wrong."],
    ja: ["ユーザー ID と PIN を入力", "ユーザー ID または PIN が違います。"],
  },
  {
    session: { phase: "unlocking", holder, touch: true, asksUserId: true },
    en: ["Touch your key", "Touch the button"],
    ja: ["キーに触れてください", "15秒以内"],
  },
  {
    session: { phase: "no-card", token: "either" },
    en: ["Insert a card or a stick"],
    ja: ["カードまたは USB メモリーを挿入"],
  },
  {
    session: { phase: "pin-asked", holder, triesLeft: 4, wrong: true, token: "stick" },
    en: ["Enter your password", "Stick of Hanako Sato.", "Wrong password. 4 tries left.", "text"],
    ja: ["パスワードを入力してください", "パスワードが違います。残り 4 回です。"],
  },
  {
    session: { phase: "up", holder, since: 0, expiresAt: EXPIRES, token: "stick" },
    en: ["with the stick of Hanako Sato", "pull the stick out"],
    ja: ["USB メモリーで接続しています", "USB メモリーを抜いてください"],
  },
  {
    session: {
      ...{ phase: "suspended", holder, busy: "Living room", until: EXPIRES },
      from: "192.0.2.5",
    },
    en: ["The card is in use", "Living room is using the card, until", "by itself"],
    ja: ["カードは使用中です", "Living room がカードを使っています", "自動で解除"],
  },
  {
    session: { phase: "unlocking", holder },
    en: ["Unlocking", "Please wait"],
    ja: ["ロックを解除しています", "しばらくお待ちください"],
  },
  {
    session: { phase: "unlocking", holder, slow: true },
    en: ["Unlocking", "Please wait", "longer than usual"],
    ja: ["ロックを解除しています", "通常より時間がかかって"],
  },
  {
    session: { phase: "unlocking", holder, touch: true },
    en: ["Touch your key", "The PIN is right"],
    ja: ["キーに触れてください", "15秒以内"],
  },
  {
    session: { phase: "blocked", holder },
    en: ["This card is blocked", "bring it to whoever issued it"],
    ja: ["カードがロックされています", "発行者にお持ちください"],
  },
  {
    session: { phase: "up", holder, since: 0, expiresAt: EXPIRES },
    en: ["You are connected", holder, "17 May 2031", "pull the card"],
    ja: ["接続しました", holder, "2031年5月17日", "カードを抜いてください"],
  },
  {
    session: { phase: "failed", reason: "no answer from the server" },
    en: ["That did not work", "no answer from the server"],
    ja: ["接続できませんでした", "no answer from the server"],
  },
];

for (const { session, en, ja } of PHASES) {
  const name = "token" in session
    ? `${session.phase}, ${session.token}`
    : "wrong" in session
    ? `${session.phase}, ${session.triesLeft} left${session.wrong ? ", after a wrong PIN" : ""}`
    : session.phase;
  Deno.test(`the portal says it in both languages: ${name}`, async () => {
    const { view, page } = await open();
    view.move(session);
    const pages = { en: await page("en-GB"), ja: await page("fr, ja;q=0.8, en;q=0.2") };
    for (const text of en) assert.ok(pages.en.includes(text), `"${text}" in English`);
    for (const text of ja) assert.ok(pages.ja.includes(text), `"${text}" in Japanese`);
    assert.ok(pages.en.includes(`<html lang="en">`) && pages.ja.includes(`<html lang="ja">`));
    const asksPin = session.phase === "pin-asked";
    assert.equal(pages.en.includes(`id="pin"`), asksPin);
  });
}

Deno.test("each fault of a profile has a message of its own, in both languages", async () => {
  const { view, page } = await open();
  const faults: ProfileFault[] = [
    "none-on-card",
    "damaged",
    "forged",
    "other-card",
    "older-generation",
    "newer-version",
    "revoked",
    "hub-unknown",
    "hub-expired",
    "hub-refused",
    "unreadable-card",
    "unknown-kind",
  ];
  const said = new Set<string>();
  for (const language of ["en", "ja"]) {
    for (const fault of faults) {
      view.move({ phase: "refused", fault });
      const html = await page(language);
      const [, text = ""] = /<h1>.*?<\/h1>\s*<p>(.*?)<\/p>/s.exec(html) ?? [];
      assert.ok(text.length > 10);
      said.add(text);
    }
  }
  assert.equal(said.size, faults.length * 2);
});

Deno.test("the language can be switched and stays so", async () => {
  const { ask } = await open();
  const switched = await ask("/?lang=ja", { headers: { "Accept-Language": "en" } });
  assert.ok((await switched.text()).includes("カードを挿入してください"));
  const cookie = switched.headers.get("Set-Cookie")?.split(";")[0] ?? "";
  const next = await ask("/", { headers: { "Accept-Language": "en", "Cookie": cookie } });
  assert.ok((await next.text()).includes("カードを挿入してください"));
});

Deno.test("a PIN sealed by the page's code arrives at the engine, and only there", async () => {
  const { view, ask, post } = await open();
  view.askPin();
  const state = await (await ask("/api/portal")).json() as PortalState;
  assert.equal(state.phase, "pin-asked");
  const wrong = await sealed(state, "000000");
  assert.ok(!wrong.includes("000000"));
  assert.deepEqual(await (await post(wrong)).json(), { outcome: "wrong-pin", triesLeft: 2 });
  const right = await post(await sealed(state, "123456"));
  assert.deepEqual(await right.json(), { outcome: "up" });
  assert.deepEqual(view.pins, [
    { pin: "000000", from: "192.0.2.77" },
    { pin: "123456", from: "192.0.2.77" },
  ]);
  assert.equal((await (await ask("/api/portal")).json()).target, undefined);
});

Deno.test("where the user id is asked for, nothing says whose card it is or what was wrong", async () => {
  const { view, ask, page, post } = await open();
  view.userId = "hanako7";
  const says = async () => await (await ask("/api/portal")).text() + await page("en");
  const outcomes: unknown[] = [];
  const told: string[] = [];
  for (const [pin, userId] of [["123456", "hanako8"], ["000000", "hanako7"]] as const) {
    view.askPin();
    const state = await (await ask("/api/portal")).json() as PortalState;
    outcomes.push(await (await post(await sealed(state, pin, userId))).json());
    told.push(await says());
  }
  assert.deepEqual(outcomes, [{ outcome: "wrong-id-or-pin" }, { outcome: "wrong-id-or-pin" }]);
  assert.equal(told[1], told[0], "to the byte");
  assert.ok(!/Hanako Sato|tries? left|triesLeft/.test(told[0] ?? ""), told[0]);
  view.triesLeft = 1;
  view.askPin(true);
  assert.match(await says(), /This is the last try/, "but nobody blocks a card unwarned");
  const state = await (await ask("/api/portal")).json() as PortalState;
  assert.deepEqual(await (await post(await sealed(state, "123456"))).json(), { outcome: "stale" });
  assert.deepEqual(await (await post(await sealed(state, "123456", "Hanako7"))).json(), {
    outcome: "up",
  });
  assert.match(await says(), /Hanako Sato/);
});

Deno.test("a PIN is taken at each name and address of the box", async () => {
  const { view, ask, post } = await open();
  for (const host of ["sekisho.internal", "192.0.2.99:8443", "[2001:db8::1]", "localhost:8443"]) {
    view.askPin();
    const state = await (await ask("/api/portal")).json() as PortalState;
    const response = await post(await sealed(state, "123456"), {
      Host: host,
      Origin: `https://${host}`,
    });
    assert.deepEqual(await response.json(), { outcome: "up" }, host);
  }
});

Deno.test("what is not a sealed PIN gets 4xx and changes nothing", async () => {
  const { view, ask, post } = await open();
  view.askPin();
  const state = await (await ask("/api/portal")).json() as PortalState;
  const good = await sealed(state, "123456");
  const parsed = JSON.parse(good);
  const bad: [number, BodyInit, Record<string, string>?][] = [
    [400, "{"],
    [400, ""],
    [400, "null"],
    [400, "[]"],
    [400, JSON.stringify({ ...parsed, enc: undefined })],
    [400, JSON.stringify({ ...parsed, extra: 1 })],
    [400, JSON.stringify({ ...parsed, engine: 7 })],
    [400, JSON.stringify({ ...parsed, engine: "" })],
    [400, JSON.stringify({ ...parsed, enc: "AAAA" })],
    [400, JSON.stringify({ ...parsed, enc: `${parsed.enc}=` })],
    [400, JSON.stringify({ ...parsed, ciphertext: toBase64url(new Uint8Array(16)) })],
    [400, JSON.stringify({ ...parsed, ciphertext: toBase64url(new Uint8Array(100)) })],
    [413, JSON.stringify({ ...parsed, engine: "e".repeat(2000) })],
    [413, new Blob([new Uint8Array(100_000)]).stream(), { duplex: "half" }],
    [415, good, { "Content-Type": "text/plain" }],
    [415, good, { "Content-Type": "application/x-www-form-urlencoded" }],
    [403, good, { "Origin": "https://evil.example" }],
    [403, good, { "Origin": "null" }],
    [403, good, { "Origin": "http://192.0.2.1" }],
    [403, good, { "Sec-Fetch-Site": "cross-site" }],
    [403, good, { "Host": "evil.example", "Origin": "https://evil.example" }],
  ];
  for (const [status, body, headers] of bad) {
    const response = await post(body, headers);
    assert.equal(response.status, status, `${body} ${JSON.stringify(headers)}`);
    assert.equal(typeof (await response.json()).error, "string");
  }
  const noOrigin = await ask("/api/pin", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: good,
  });
  assert.equal(noOrigin.status, 403);
  assert.deepEqual(view.pins, []);
  assert.equal(view.session().phase, "pin-asked");
});

Deno.test("a PIN that waits for a terminal: its own terminal may give up, the others are told only", async () => {
  const { view, ask, page } = await open();
  const own = { phase: "suspended", holder, busy: "Living room", until: EXPIRES } as const;
  const giveUp = (headers: Record<string, string> = { Origin: ORIGIN }) =>
    ask("/api/pin/give-up", { method: "POST", headers });
  view.move({ ...own, from: "192.0.2.5" });
  const others = await (await ask("/api/portal")).json();
  assert.deepEqual([others.mine, "from" in others], [false, false]);
  assert.ok(!(await page("en")).includes("give-up-pin"));
  assert.equal((await giveUp()).status, 409);
  view.move({ ...own, from: PEER.remoteAddr.hostname });
  assert.equal((await (await ask("/api/portal")).json()).mine, true);
  for (const [language, text] of [["en", "Give up waiting"], ["ja", "待つのをやめる"]] as const) {
    const html = await page(language);
    assert.ok(html.includes("give-up-pin") && html.includes(text), language);
  }
  assert.equal((await giveUp({ Origin: "https://evil.example" })).status, 403);
  assert.equal(view.session().phase, "suspended");
  assert.equal((await giveUp()).status, 204);
  assert.equal(view.session().phase, "pin-asked");
});

Deno.test("a failing gateway answers 500 without saying why, and the journal does", async () => {
  const { view, ask, post } = await open();
  view.askPin();
  const body = await sealed(await (await ask("/api/portal")).json(), "123456");
  view.submitPin = () => Promise.reject(new Error("the engine is gone"));
  const response = await post(body);
  assert.equal(response.status, 500);
  assert.ok(!(await response.text()).includes("engine"));
  assert.equal(view.entries.at(-1)?.detail["reason"], "the engine is gone");
});

Deno.test("whose card it is that can't be used is told to nobody without proof", async () => {
  const { view, ask, page } = await open();
  const response = await ask("/api/events");
  const events = new SseReader(response);
  const heard = [(await events.next())?.data];
  for (const token of [undefined, "stick"] as const) {
    const about = token === undefined ? {} : { token };
    for (
      const session of [
        { phase: "expired", expiredAt: EXPIRES, holder, ...about },
        { phase: "blocked", holder, ...about },
      ] as const
    ) {
      view.move(session);
      heard.push((await events.next())?.data);
      const { holder: _unsaid, ...said } = session;
      assert.deepEqual(await (await ask("/api/portal")).json(), {
        ...said,
        gateway: "Test gateway",
      });
      assert.ok(!(await page("en") + await page("ja")).includes(holder));
    }
  }
  assert.equal(heard.length, 5);
  assert.ok(!JSON.stringify(heard).includes(holder));
  await events.close();
});

Deno.test("names from outside can't become markup", async () => {
  const { view, page } = await open();
  const holder = `</script><script>alert(1)</script><img src=x onerror="alert(2)">&`;
  for (
    const session of [
      { phase: "pin-asked", holder, triesLeft: 3, wrong: true },
      { phase: "up", holder, since: 0, expiresAt: EXPIRES },
      { phase: "failed", reason: holder },
    ] as const
  ) {
    view.move(session);
    const html = await page("en");
    assert.ok(!html.includes("<script>alert"));
    assert.ok(!html.includes("<img"));
    assert.equal(html.match(/<\/script>/g)?.length, 2); // the bundle and the state
    const [, json = ""] = /<script id="state"[^>]*>(.*?)<\/script>/s.exec(html) ?? [];
    const state = JSON.parse(json);
    assert.equal(state.holder ?? state.reason, holder);
  }
});

Deno.test("events begin with the present state and follow the session", async () => {
  const { view, budget, ask } = await open();
  const response = await ask("/api/events");
  assert.equal(response.headers.get("Content-Type"), "text/event-stream; charset=utf-8");
  const events = new SseReader(response);
  const first = await events.next();
  assert.equal(first?.event, "session");
  assert.equal((first?.data as PortalState).phase, "no-card");
  view.askPin();
  const asked = (await events.next())?.data as PortalState;
  assert.equal(asked.phase, "pin-asked");
  assert.equal(asked.target?.engine, view.pinTarget()?.engine);
  view.record("info", "something", {});
  view.beat();
  view.move({ phase: "no-card" });
  assert.equal(((await events.next())?.data as PortalState).phase, "no-card");
  assert.equal(budget.total, 1);
  await events.close();
  assert.equal(budget.total, 0);
  assert.equal(view.listeners.size, 0);
});

Deno.test("asking for the headers of the events takes no listener's place", async () => {
  const { view, budget, ask } = await open();
  const response = await ask("/api/events", { method: "HEAD" });
  assert.equal(response.headers.get("Content-Type"), "text/event-stream; charset=utf-8");
  assert.equal(budget.total + view.listeners.size, 0);
});

Deno.test("listeners are bounded, by address and in all", async () => {
  const { ask, budget } = await open({ total: 3, perAddress: 2 });
  const open1 = [await ask("/api/events"), await ask("/api/events")];
  const third = await ask("/api/events");
  assert.equal(third.status, 503);
  assert.ok(third.headers.has("Retry-After"));
  await third.body?.cancel();
  await open1[0]?.body?.cancel();
  const again = await ask("/api/events");
  assert.equal(again.status, 200);
  for (const response of [open1[1], again]) await response?.body?.cancel();
  assert.equal(budget.total, 0);
});

Deno.test("every page keeps to its own code", async () => {
  const { ask } = await open();
  const response = await ask("/");
  const policy = response.headers.get("Content-Security-Policy") ?? "";
  assert.match(policy, /default-src 'none'/);
  assert.match(policy, /frame-ancestors 'none'/);
  assert.ok(!policy.includes("unsafe"));
  assert.equal(response.headers.get("X-Content-Type-Options"), "nosniff");
  assert.equal(response.headers.get("Strict-Transport-Security"), null);
  const html = await response.text();
  assert.ok(!/\sstyle=|\son[a-z]+=|<style/.test(html));
  for (const [, url = ""] of html.matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)) {
    const asset = await ask(url);
    assert.equal(asset.status, 200);
    assert.match(asset.headers.get("Cache-Control") ?? "", /immutable/);
  }
});

Deno.test("the captive portal API says where to go and when that is over", async () => {
  const { view, ask } = await open();
  const before = await ask("/captive-portal/api");
  assert.equal(before.headers.get("Content-Type"), "application/captive+json");
  assert.deepEqual(await before.json(), { "captive": true, "user-portal-url": `${ORIGIN}/` });
  view.move({ phase: "up", holder, since: 0, expiresAt: EXPIRES });
  assert.equal((await (await ask("/captive-portal/api")).json()).captive, false);
});

Deno.test("other paths lead to the portal, other API paths to 404", async () => {
  const { ask } = await open();
  const page = await ask("/whatever/page");
  assert.equal(page.status, 302);
  assert.equal(page.headers.get("Location"), "/");
  assert.equal((await ask("/api/whatever")).status, 404);
  assert.equal((await ask("/assets/../app.tsx")).status, 302);
  assert.equal((await ask("/assets/app.tsx")).status, 404);
});

Deno.test("passkeys are offered at their name, elsewhere the way there, and to nobody unasked", async () => {
  const { view, ask } = await open({ passkeys: true });
  const { view: without, ask: askWithout } = await open();
  view.passkey = without.passkey = { nonce: "AAAAAAAAAAAAAAAAAAAAAA", opens: true, mayAdd: true };
  view.askPin();
  without.askPin();
  const passkeyOf = async (answer: Promise<Response> | Response) =>
    (await (await answer).json() as PortalState).target?.passkey;
  assert.equal(await passkeyOf(askWithout("/api/portal")), undefined);
  const site = { name: "home.internal", url: "https://home.internal/" };
  assert.deepEqual(await passkeyOf(ask("/api/portal")), { ...view.passkey, ...site, here: false });
  const there = await passkeyOf(ask("/api/portal", { headers: { Host: "home.internal" } }));
  assert.equal(there?.here, true);
  const page = await (await ask("/")).text();
  assert.ok(page.includes('href="https://home.internal/"'), page);
  view.passkey = undefined;
  assert.equal(await passkeyOf(ask("/api/portal")), undefined);
});

Deno.test("a passkey's answer and an addition arrive as they were sent; odd ones don't", async () => {
  const { view, post } = await open();
  view.askPin();
  const seen: unknown[] = [];
  view.submitPin = (sealed) => {
    seen.push(sealed);
    return Promise.resolve({ outcome: "wrong-passkey", triesLeft: 4 });
  };
  const [enc, ciphertext] = [new Uint8Array(32), new Uint8Array(SEALED_BYTES)];
  const texts = { enc: toBase64url(enc), ciphertext: toBase64url(ciphertext) };
  const answer = { engine: "e", ...texts, way: "passkey" };
  const adds = { ...texts, name: "指紋キー" };
  assert.equal((await post(JSON.stringify(answer))).status, 200);
  assert.equal((await post(JSON.stringify({ engine: "e", ...texts, adds }))).status, 200);
  assert.deepEqual(seen, [
    { engine: "e", enc, ciphertext, way: "passkey" },
    { engine: "e", enc, ciphertext, adds: { enc, ciphertext, name: "指紋キー" } },
  ]);
  const odd = [
    { ...answer, way: "pin" },
    { ...answer, adds: { ...adds, name: "" } },
    { ...answer, adds: { ...adds, name: "x".repeat(33) } },
    { ...answer, adds: { ...adds, name: "two\nlines" } },
    { ...answer, adds: { ...adds, ciphertext: toBase64url(ciphertext.subarray(1)) } },
    { ...answer, adds: { ...adds, more: 1 } },
  ];
  for (const body of odd) {
    assert.equal((await post(JSON.stringify(body))).status, 400, JSON.stringify(body));
  }
  const large = { ...answer, adds: { ...adds, name: "x".repeat(1200) } };
  assert.equal((await post(JSON.stringify(large))).status, 413);
  assert.equal(seen.length, 2);
});
