import assert from "node:assert/strict";
import type { ShareRecord } from "../../token/profile/share_record.ts";
import type { IssuerKey } from "../../token/profile/types.ts";
import { decide, shelfOf } from "./decide.ts";

const record = (id: number, change: Partial<ShareRecord> = {}): ShareRecord => ({
  id: new Uint8Array(16).fill(id),
  profileId: "p1",
  cardId: "c1",
  generation: 100,
  expiresAt: 2000,
  clientId: "alice",
  proofKey: new Uint8Array(33).fill(2),
  share: new Uint8Array(17).fill(9),
  issuer: "i" as IssuerKey,
  ...change,
});

Deno.test("a share goes to the card that proves itself, while its profile is good", () => {
  const shelf = shelfOf([record(1), record(2, { profileId: "p2", generation: 7 })]);
  const ask = (
    { id = 1, proven = true, now = 1999, revoked = false, on = shelf } = {},
  ) => {
    const question = { id: new Uint8Array(16).fill(id), isProvenBy: () => proven };
    const { answer } = decide(on, question, { now, isRevoked: () => revoked });
    return answer.granted ? "granted" : answer.why;
  };
  assert.equal(ask(), "granted");
  assert.equal(ask({ id: 2 }), "granted");
  assert.equal(ask({ id: 3 }), "unknown");
  assert.equal(ask({ now: 2000 }), "expired");
  assert.equal(ask({ revoked: true }), "revoked");
  const newer = shelfOf([record(1), record(4, { generation: 101 })]);
  assert.equal(ask({ on: newer }), "replaced");
  assert.equal(ask({ on: newer, id: 4 }), "granted");
  // Who isn't the card learns nothing of it.
  for (const change of [{ revoked: true }, { now: 9999 }, { on: newer }]) {
    assert.equal(ask({ proven: false, ...change }), "not-proven");
  }
});
