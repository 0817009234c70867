import assert from "node:assert/strict";
import fc from "fast-check";
import { CAPABILITY_WORDS } from "../../token/capabilities/words.ts";
import { parseFromEngine, parseToEngine } from "./messages.ts";

Deno.test("messages: what is well formed is read, everything else is nothing", () => {
  const start = {
    type: "start",
    reader: "R",
    issuers: ["AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"],
    tunnelInterface: "sekisho0",
    kernel: "auto",
  };
  assert.deepEqual(parseToEngine(JSON.stringify(start)), start);
  const pin = { type: "pin", enc: "A", ciphertext: "A" };
  for (const more of [{ way: "passkey" }, { adds: { enc: "A", ciphertext: "A", name: "x" } }]) {
    assert.deepEqual(parseToEngine(JSON.stringify({ ...pin, ...more })), { ...pin, ...more });
  }
  const refused: unknown[] = [
    { ...start, more: 1 },
    { ...start, tunnelInterface: "a-name-of-more-than-fifteen" },
    { ...start, issuers: "AA" },
    { type: "pin", enc: "A".repeat(44), ciphertext: "" },
    { type: "pin", enc: "A", ciphertext: "A".repeat(152) },
    { type: "pin", enc: "not base64url!", ciphertext: "" },
    { ...pin, way: "pin" },
    { ...pin, adds: { enc: "A", ciphertext: "A" } },
    { ...pin, adds: { enc: "A", ciphertext: "A", name: "two\nlines" } },
    { ...pin, adds: { enc: "A", ciphertext: "A".repeat(129), name: "x" } },
    { type: "generation", highest: 1, revoked: false, passkeys: ["x".repeat(301)] },
    { type: "generation", highest: 1, revoked: false, passkeys: Array(65).fill("x") },
    { type: "stop" },
    null,
    [],
    "end",
  ];
  for (const message of refused) {
    assert.equal(parseToEngine(JSON.stringify(message)), undefined, JSON.stringify(message));
  }
  assert.equal(parseToEngine("{"), undefined);
  const slept = { type: "slept", sleptMs: 5_000 };
  assert.deepEqual(parseFromEngine(JSON.stringify(slept)), slept);
  assert.equal(parseFromEngine(JSON.stringify({ ...slept, sleptMs: -1 })), undefined);
  const card = { type: "card", report: { card: "refused", fault: "forged" } };
  assert.deepEqual(parseFromEngine(JSON.stringify(card)), card);
  assert.equal(
    parseFromEngine(JSON.stringify({ ...card, report: { card: "refused", fault: "odd" } })),
    undefined,
  );
});

Deno.test("messages: every reason that a card's ways can have crosses to the gateway", () => {
  const facts = (reason: Record<string, unknown>) => ({
    type: "card-facts",
    facts: {
      application: "piv",
      carrier: "folder",
      identities: [{ way: "sealed", open: "yes", reason }],
      carriers: [],
    },
  });
  const values: Record<string, unknown> = {
    ...{ version: "5.7.1", slot: "9d", status: "6A81", bytes: 255 },
  };
  for (const [key, words] of Object.entries(CAPABILITY_WORDS.en.reasons)) {
    const fields = [...words.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => [name, values[name]]);
    const message = facts({ key, ...Object.fromEntries(fields) });
    assert.deepEqual(parseFromEngine(JSON.stringify(message)), message, key);
  }
  for (const odd of [{ key: "odd" }, { key: "x25519-firmware" }, { key: "p256-listed", more: 1 }]) {
    assert.equal(parseFromEngine(JSON.stringify(facts(odd))), undefined);
  }
});

Deno.test("messages: any line is read or refused without a throw", () => {
  fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (line) => {
    parseToEngine(line);
    parseFromEngine(line);
  }));
});

Deno.test("messages: an engine hears of a revocation, or nothing: it is never left out", () => {
  const known = { type: "generation", highest: 3, revoked: true };
  assert.deepEqual(parseToEngine(JSON.stringify(known)), known);
  assert.equal(parseToEngine(JSON.stringify({ type: "generation", highest: 3 })), undefined);
  const asked = {
    type: "generation-asked",
    cardId: "c",
    profileId: "p",
    generation: 3,
    issuer: "A",
  };
  assert.deepEqual(parseFromEngine(JSON.stringify(asked)), asked);
  const { profileId: _left, ...short } = asked;
  assert.equal(parseFromEngine(JSON.stringify(short)), undefined);
});
