import assert from "node:assert/strict";
import type { ToEngine } from "../engine/messages.ts";
import type { SessionPhase, ShareClosed } from "../view.ts";
import { ShareDesk } from "./share_desk.ts";

const TERMINAL = { address: "192.0.2.9", mac: "02:00:00:00:00:09", name: "desk" };
const holder = "Hana";

/** Each phase, and why nothing is lent in it. */
const TABLE: readonly [SessionPhase, ShareClosed][] = [
  [{ phase: "no-reader" }, "no-card"],
  [{ phase: "no-card" }, "no-card"],
  [{ phase: "no-card", token: "either" }, "no-card"],
  [{ phase: "reading" }, "no-card"],
  [{ phase: "expired", holder, expiredAt: 1 }, "expired"],
  [{ phase: "blocked", holder }, "blocked"],
  [{ phase: "refused", fault: "forged" }, "refused"],
  [{ phase: "failed", reason: "x" }, "failed"],
  [{ phase: "pin-asked", holder, triesLeft: 3, wrong: false }, "locked"],
  [{ phase: "unlocking", holder }, "locked"],
  [{ phase: "pin-asked", holder, triesLeft: 3, wrong: false, token: "stick" }, "stick"],
  [{ phase: "expired", holder, expiredAt: 1, token: "stick" }, "stick"],
  [{ phase: "up", holder, since: 1, expiresAt: 2, token: "stick" }, "stick"],
];

Deno.test("a card that the gateway doesn't accept is lent to nobody, and each reason is said", async () => {
  let phase: SessionPhase = { phase: "no-card" };
  const sent: ToEngine[] = [];
  const journal: string[] = [];
  const desk = new ShareDesk({
    cardId: () => undefined,
    ...{ terminals: ["*"], limits: { idleMs: 1, hardMs: 1 } },
    phase: () => phase,
    send: (message) => sent.push(message),
    known: () => [TERMINAL],
    look: () => Promise.resolve(),
    certify: () => Promise.resolve(""),
    record: (_level, event, { terminal }) => journal.push(`${event} ${terminal}`),
    onChange: () => {},
    onPinWanted: () => {},
  });
  try {
    for (const [at, why] of TABLE) {
      phase = at;
      assert.deepEqual(await desk.request(TERMINAL.address), { refused: why }, at.phase);
      assert.deepEqual([desk.view()?.open, desk.view()?.closed], [false, why]);
    }
    assert.deepEqual(sent, [], "the engine is not even asked");
    assert.deepEqual(await desk.request("192.0.2.77"), { refused: "not-allowed" });
    assert.deepEqual(journal, ["reader-refused 192.0.2.77"]);
  } finally {
    desk.stop();
  }
});
