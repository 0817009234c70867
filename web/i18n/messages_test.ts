import assert from "node:assert/strict";
import { DROP_REASONS } from "../../gateway/switch/plan.ts";
import { PANEL_MESSAGES, PORTAL_MESSAGES, PURSE_MESSAGES, STICK_MESSAGES } from "./messages.ts";
import { portalStickEn } from "./portal_stick_en.ts";
import { portalStickJa } from "./portal_stick_ja.ts";

/** Every text by its path; functions are called with numbers and names that show in the text. */
function texts(value: unknown, path = ""): [string, string][] {
  if (typeof value === "string") return [[path, value]];
  if (typeof value === "function") return texts(value(7), path);
  assert.ok(typeof value === "object" && value !== null, path);
  return Object.entries(value).flatMap(([key, inner]) => texts(inner, `${path}.${key}`));
}

for (
  const [name, messages] of Object.entries({
    ...{ PORTAL_MESSAGES, STICK_MESSAGES, PANEL_MESSAGES, PURSE_MESSAGES },
  })
) {
  Deno.test(`${name} has every text in each language, and no empty one`, () => {
    const en = texts(messages.en);
    const ja = texts(messages.ja);
    assert.deepEqual(en.map(([path]) => path).sort(), ja.map(([path]) => path).sort());
    for (const [path, text] of [...en, ...ja]) assert.ok(text.trim() !== "", path);
    const same = new Set(["PIN", "path"]);
    for (const [path, text] of ja) {
      const japanese = /[\u3040-\u30ff\u4e00-\u9fff]/.test(text);
      assert.ok(japanese || same.has(text), `${path}: "${text}" is not Japanese`);
    }
    for (const [path, text] of en) assert.ok(!/[\u3040-\u9fff]/.test(text), path);
  });
}

Deno.test("holders of sticks read of no card and no PIN", () => {
  for (const [path, text] of [...texts(portalStickEn), ...texts(portalStickJa)]) {
    assert.doesNotMatch(text, /\bcards?\b|\bPINs?\b|カード|PIN/i, path);
  }
});

Deno.test("the panel has words for every reason that the switch drops for", () => {
  for (const reason of DROP_REASONS) assert.ok(PANEL_MESSAGES.en.drops.reason[reason], reason);
});
