/** Requests behind a lease that costs the session its PIN: they wait for the next engine, in order. */
import assert from "node:assert/strict";
import type { FromEngine, ToEngine } from "../engine/messages.ts";
import type { LeaseView, SessionPhase } from "../view.ts";
import { ShareDesk } from "./share_desk.ts";

const ADDRESSES = ["192.0.2.1", "192.0.2.2", "192.0.2.3"] as const;
const [A, B, C] = ADDRESSES;
const UP: SessionPhase = { phase: "up", holder: "Hana", since: 0, expiresAt: 1 };
const ASKED: SessionPhase = { phase: "pin-asked", holder: "Hana", triesLeft: 3, wrong: false };

type Share = Extract<FromEngine, { type: "share" }>;
const share = (more: Partial<Share> = {}): Share => ({
  ...{ type: "share", open: true, atr: "", pin: { engine: "e", publicKey: "" } },
  ...{ waiting: [], waitingInAll: 0, ...more },
});

/** A desk whose engine is the test; the first of three requests has the card. */
async function place() {
  const at = { phase: UP, card: "card-1" as string | undefined, locked: [] as string[] };
  const sent: ToEngine[] = [];
  const desk = new ShareDesk({
    terminals: ["*"],
    limits: { idleMs: 1_000, hardMs: 1_000 },
    phase: () => at.phase,
    cardId: () => at.card,
    send: (message) => sent.push(message),
    known: () => ADDRESSES.map((address) => ({ address, mac: "", name: "" })),
    look: () => Promise.resolve(),
    certify: () => Promise.resolve(""),
    record: () => {},
    onChange: () => {},
    onPinWanted: (why) => at.locked.push(why),
  });
  desk.hear(share());
  const ids: string[] = [];
  for (const address of ADDRESSES) {
    const asking = desk.request(address);
    await Promise.resolve();
    if (address === A) {
      desk.hear({ type: "lease-granted", ticket: 1, lastsMs: 1_000, idleMs: 1_000 });
    }
    const lease = await asking;
    assert.ok("id" in lease);
    ids.push(lease.id);
  }
  const states = () =>
    Promise.all(ADDRESSES.map(async (address, index) => {
      const lease: LeaseView | undefined = await desk.lease(ids[index] ?? "", { address });
      return lease?.state === "ended" ? lease.reason : lease?.state;
    }));
  const requested = () =>
    sent.splice(0).flatMap((one) => one.type === "lease-request" ? [one.terminal.key] : []);
  const lease = (address: typeof A | typeof B | typeof C) =>
    [ids[ADDRESSES.indexOf(address)] ?? "", address] as const;
  assert.deepEqual(await states(), ["granted", "waiting", "waiting"]);
  assert.deepEqual(requested(), [A, B, C]);
  return { desk, at, states, requested, lease, [Symbol.dispose]: () => desk.stop() };
}

/** The first one's lease ends, and with it the engine. */
function pinWanted({ desk, at }: Awaited<ReturnType<typeof place>>): void {
  desk.hear({ type: "lease-over", ticket: 1, reason: "released" });
  desk.hear({ type: "pin-wanted", why: "the card was lent" });
  assert.deepEqual(at.locked, ["the card was lent"]);
  desk.hear(share({ waitingInAll: 2 })); // what the old engine still had to say
  at.phase = { phase: "reading" };
  desk.engineEnded();
}

Deno.test("requests wait while the PIN is asked for again, and go on in their order", async () => {
  using world = await place();
  const { desk, at, states, requested } = world;
  pinWanted(world);
  assert.deepEqual(await states(), ["released", "waiting", "waiting"]);
  assert.deepEqual(requested(), [], "nothing to nobody");
  for (const phase of [{ phase: "reading" } as const, ASKED]) desk.sessionMoved(at.phase = phase);
  const view = desk.view();
  assert.deepEqual(view?.waiting.map(({ terminal }) => terminal), [B, C], "and people see them");
  assert.deepEqual([view?.open, view?.closed, view?.waitingInAll], [false, "locked", 2]);
  desk.sessionMoved(at.phase = UP);
  desk.hear(share());
  assert.deepEqual(requested(), [B, C]);
  desk.hear({ type: "lease-granted", ticket: 2, lastsMs: 1_000, idleMs: 1_000 });
  desk.hear(share());
  assert.deepEqual(requested(), [], "once");
  assert.deepEqual(await states(), ["released", "granted", "waiting"]);
});

Deno.test("requests don't pass on to another card, and end with the one that is pulled", async () => {
  {
    using world = await place();
    const { desk, at, states, requested } = world;
    pinWanted(world);
    at.card = "card-2"; // swapped between two looks at the reader
    desk.sessionMoved(at.phase = UP);
    desk.hear(share());
    assert.deepEqual(requested(), []);
    assert.deepEqual(await states(), ["released", "card-gone", "card-gone"]);
  }
  const away: SessionPhase[] = [{ phase: "no-card" }, { phase: "blocked", holder: "Hana" }];
  for (const phase of away) {
    using world = await place();
    const { desk, at, states } = world;
    pinWanted(world);
    desk.sessionMoved(at.phase = phase);
    assert.deepEqual(await states(), ["released", "card-gone", "card-gone"], phase.phase);
  }
  using world = await place();
  const { desk, at, states } = world;
  desk.hear({ type: "pin-wanted", why: "the card was lent" });
  at.phase = { phase: "no-card" }; // told before its engine has ended
  desk.engineEnded();
  assert.deepEqual(await states(), ["card-gone", "card-gone", "card-gone"]);
});

Deno.test("who waits for the PIN may give up, by lease or by terminal", async () => {
  using world = await place();
  const { desk, states, lease } = world;
  pinWanted(world);
  assert.equal(await desk.release(...lease(B)), true);
  assert.deepEqual(await states(), ["released", "gave-up", "waiting"]);
  assert.equal(await desk.giveUp(C), true);
  assert.deepEqual(await states(), ["released", "gave-up", "gave-up"]);
});

Deno.test("an engine that ends for any other reason takes its requests along", async () => {
  using world = await place();
  const { desk, at, states } = world;
  at.phase = { phase: "reading" };
  desk.engineEnded();
  assert.deepEqual(await states(), ["card-gone", "card-gone", "card-gone"]);
});
