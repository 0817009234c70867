import assert from "node:assert/strict";
import fc from "fast-check";
import { fromBase64url, toBase64url } from "./base64url.ts";
import { formatBytes, formatDay, formatRate } from "./format.ts";
import { preferredLanguage } from "./language.ts";
import { jsonForHtml } from "./page.tsx";
import { type EventSink, eventStream, ListenerBudget } from "./sse.ts";
import { Assets } from "./assets.ts";

Deno.test("base64url comes back as it went, and takes nothing else", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
    assert.equal(toBase64url(bytes), bytes.toBase64({ alphabet: "base64url", omitPadding: true }));
    assert.deepEqual(fromBase64url(toBase64url(bytes)), bytes);
  }));
  for (const bad of ["A", "AA==", "+/+/", "AB", "AA A", "ä"]) {
    assert.equal(fromBase64url(bad), undefined, bad);
  }
});

Deno.test("sizes and rates have three digits or so", () => {
  const table: [number, string][] = [
    [0, "0 B"],
    [999, "999 B"],
    [1000, "1.0 kB"],
    [12_345, "12.3 kB"],
    [999_949, "1.0 MB"],
    [123_456_789, "123 MB"],
    [5e21, "5000 EB"],
    [-1, "0 B"],
    [NaN, "0 B"],
  ];
  for (const [bytes, text] of table) assert.equal(formatBytes(bytes), text);
  assert.equal(formatRate(125_000), "1.0 Mb/s");
});

Deno.test("no date from outside can make formatting fail", () => {
  fc.assert(fc.property(fc.double(), (at) => {
    assert.ok(formatDay(at, "en").length > 0 && formatDay(at, "ja").length > 0);
  }));
});

Deno.test("the browser's first wish that there is decides the language", () => {
  const table: [string, string][] = [
    ["", "en"],
    ["ja", "ja"],
    ["ja-JP,en;q=0.9", "ja"],
    ["en-US,ja;q=0.9", "en"],
    ["de, fr;q=0.9, ja;q=0.3, en;q=0.1", "ja"],
    ["ja;q=0, en;q=0.5", "en"],
    ["*, ja;q=0.5", "en"],
    ["de", "en"],
    [";;;,,,q=", "en"],
  ];
  for (const [header, language] of table) assert.equal(preferredLanguage(header), language, header);
});

Deno.test("JSON in a page can't end its element", () => {
  fc.assert(fc.property(fc.json(), fc.string(), (json, text) => {
    const value = [JSON.parse(json), `${text}</script><!--\u2028`];
    const html = jsonForHtml(value);
    assert.ok(!html.includes("<"));
    assert.deepEqual(JSON.parse(html), value);
  }));
});

Deno.test("a listener that doesn't read is let go, and its place is free again", async () => {
  const budget = new ListenerBudget({ total: 1, perAddress: 1 });
  let sink: EventSink | undefined;
  let stopped = 0;
  const response = eventStream((opened) => {
    sink = opened;
    return () => stopped++;
  }, { method: "GET", budget, address: "192.0.2.1" });
  const big = "x".repeat(10_000);
  let sent = 0;
  while (sink?.send("status", big) && sent < 1000) sent += 1;
  assert.ok(sent > 10 && sent < 100, `${sent} events waited`);
  assert.equal(stopped, 1);
  assert.equal(budget.total, 0);
  await response.body?.cancel();
  assert.equal(stopped, 1);
});

Deno.test("a stopping server ends its streams", async () => {
  const stop = new AbortController();
  const budget = new ListenerBudget({ total: 1, perAddress: 1 });
  const options = { method: "GET", budget, address: "192.0.2.1", signal: stop.signal };
  const response = eventStream(() => () => {}, options);
  stop.abort();
  assert.equal(await response.text(), "retry: 1000\n\n");
  assert.equal(budget.total, 0);
});

Deno.test("missing bundles are a clear error", async () => {
  const empty = await Deno.makeTempDir();
  await assert.rejects(Assets.load(empty), /run "deno task build"/);
  await Deno.remove(empty);
});
