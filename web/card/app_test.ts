import assert from "node:assert/strict";
import type { ShareView } from "../../gateway/view.ts";
import { newPurse } from "../../token/stored_value/test_purse.ts";
import { portalApp } from "../portal/app.tsx";
import { ListenerBudget } from "../shared/sse.ts";
import { testAssets } from "../testing/assets.ts";
import { FakeDesk } from "../testing/fake_desk.ts";
import { FakeGateway } from "../testing/fake_gateway.ts";

const ORIGIN = "https://192.0.2.1";
const PEER = { remoteAddr: { transport: "tcp", hostname: "192.0.2.77", port: 40_000 } } as const;
const SELECT_PURSE = "00a404000af053454b4953484f020100";

async function open() {
  const view = await FakeGateway.open();
  const { card } = await newPurse();
  const desk = await FakeDesk.open(card);
  const app = portalApp(view, {
    assets: await testAssets(),
    portalUrl: `${ORIGIN}/`,
    budget: new ListenerBudget({ total: 8, perAddress: 4 }),
  });
  const ask = async (method: string, path: string, body?: unknown, origin = ORIGIN) => {
    const response = await app.request(`${ORIGIN}/api/v1/card${path}`, {
      method,
      headers: { Origin: origin, "Content-Type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    }, PEER);
    const text = await response.text();
    return { status: response.status, body: text === "" ? undefined : JSON.parse(text), response };
  };
  return { view, desk, app, ask };
}

const share = (changes: Partial<ShareView> = {}): ShareView => ({
  ...{ open: true, idleMs: 20_000, hardMs: 60_000, waiting: [], waitingInAll: 0 },
  ...changes,
});

Deno.test("card API: where nothing is shared it says so", async () => {
  const { ask } = await open();
  assert.deepEqual([(await ask("GET", "")).status, (await ask("POST", "/leases")).status], [
    404,
    404,
  ]);
});

Deno.test("card API: ask, wait, send, give back", async () => {
  const { view, desk, ask } = await open();
  view.leases = desk;
  view.patch = { share: share() };
  const first = await ask("POST", "/leases");
  assert.deepEqual([first.status, first.body.state], [201, "granted"]);
  assert.equal(first.response.headers.get("Location"), `/api/v1/card/leases/${first.body.id}`);
  const second = await ask("POST", "/leases");
  assert.deepEqual([second.status, second.body.place], [202, 1]);
  const path = `/leases/${first.body.id}`;
  const answer = await ask("POST", `${path}/commands`, { apdu: SELECT_PURSE });
  assert.match(answer.body.apdu, /9000$/);
  assert.equal((await ask("DELETE", path)).status, 204);
  assert.equal((await ask("GET", `/leases/${second.body.id}?wait=1`)).body.state, "granted");
  const late = await ask("POST", `${path}/commands`, { apdu: SELECT_PURSE });
  assert.deepEqual([late.status, late.body.fault], [404, "no-lease"]);
});

Deno.test("card API: what is no command is refused with the reason", async () => {
  const { view, desk, ask } = await open();
  view.leases = desk;
  const { body: { id } } = await ask("POST", "/leases");
  const table: [body: unknown, status: number][] = [
    [{ apdu: "00" }, 400],
    [{ apdu: "00a4040" }, 400],
    [{ apdu: 1 }, 400],
    [{}, 400],
    [{ apdu: SELECT_PURSE, extra: true }, 400],
    [{ apdu: "00".repeat(65_545) }, 400],
    [{ apdu: "00".repeat(80_000) }, 413],
  ];
  for (const [body, status] of table) {
    const answer = await ask("POST", `/leases/${id}/commands`, body);
    assert.equal(answer.status, status, JSON.stringify(body).slice(0, 60));
    assert.match(answer.body.error, /^Cannot/);
  }
  assert.equal((await ask("POST", "/leases", {}, "https://elsewhere.example")).status, 403);
  assert.equal((await ask("GET", "/leases/nobody")).status, 404);
});

Deno.test("card API: its description names every path that there is", async () => {
  const { ask } = await open();
  const { body } = await ask("GET", "/openapi.json");
  const paths = Object.keys(body.paths).map((path) => path.replace("/api/v1/card", ""));
  assert.deepEqual(paths.sort(), [
    ...["", "/give-up", "/leases", "/leases/{id}", "/leases/{id}/commands"],
    ...["/leases/{id}/pin", "/socket"],
  ]);
});

Deno.test("portal: who has the card, whose turn it is, and a way out, in both languages", async () => {
  const { view, app, desk } = await open();
  view.leases = desk;
  const person = { way: "program", since: Date.UTC(2031, 0, 1) } as const;
  const other = { ...person, terminal: "a", label: "Living room" };
  const own = { ...person, terminal: PEER.remoteAddr.hostname, label: "Desk" };
  const page = async (language: string) =>
    await (await app.request(`${ORIGIN}/`, { headers: { "Accept-Language": language } }, PEER))
      .text();
  const until = Date.UTC(2031, 0, 1, 0, 1);
  view.patch = {
    share: share({ holder: { ...other, until }, waiting: [other, own], waitingInAll: 2 }),
  };
  assert.match(await page("en"), /busy: Living room .*number 2 in line. Wait, or give up/);
  assert.match(await page("ja"), /使用中です。Living room.*2 番目です.*待つのをやめる/);
  view.patch = { share: share({ holder: { ...own, until }, waiting: [other], waitingInAll: 1 }) };
  assert.match(
    await page("en"),
    /This device uses the card now.*1 device waits.*Give the card back/,
  );
  view.patch = { share: share() };
  assert.doesNotMatch(await page("en"), /id="share"/);
  assert.match(await page("ja"), /<a href="\/purse">電子財布<\/a>/);
  view.patch = {};
  assert.doesNotMatch(await page("en"), /\/purse/, "nothing is shared, so there is nothing to use");
});
