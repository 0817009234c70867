/** Several PINs at once, and a PIN while a terminal has the card: who waits, who is told what, who is tried. */
import assert from "node:assert/strict";
import type { PinOutcome } from "../view.ts";
import type { EngineRun, SessionCommand, SessionEvent, UnlockFailure } from "./events.ts";
import type { Grant } from "./grant.ts";
import * as limits from "./limits.ts";
import { SessionCore } from "./session.ts";

const DAY = 86_400_000;
const RUN = 1 as EngineRun;
const GRANT: Grant = {
  ...{ holder: "Hana", cardId: "p", generation: 1, expiresAt: DAY, interface: "sekisho0" },
  ...{ identity: "on-card", addresses: [], mtu: 1420, dns: [], networks: [], domains: [] },
  ...{ otherTraffic: "drop", endpoints: [] },
};

/** A session that asks for its PIN; `from` tells terminals apart. */
class Bench {
  readonly core = new SessionCore();
  readonly answers: [ticket: number, outcome: PinOutcome][] = [];
  readonly relayed: number[] = [];
  readonly others: string[] = [];
  readonly #tickets = new Map<Uint8Array, number>();
  now = 0;

  constructor({ triesLeft = 3 } = {}) {
    this.on({ type: "readers", readers: [{ name: "R", card: "present", counter: 1 }] });
    this.on({ type: "engine-hello", run: RUN, engine: "e", publicKey: new Uint8Array(32) });
    const report = { card: "pin-asked", holder: "Hana", triesLeft, expiresAt: DAY } as const;
    this.on({ type: "engine-card", run: RUN, report });
    this.others.length = 0;
  }

  pin(ticket: number, from = `192.0.2.${ticket}`, engine = "e"): void {
    const enc = new Uint8Array(32);
    this.#tickets.set(enc, ticket);
    this.on({ type: "pin", ticket, from, sealed: { engine, enc, ciphertext: new Uint8Array(24) } });
  }

  fails(why: UnlockFailure): void {
    this.on({ type: "engine-unlock-failed", run: RUN, why });
  }

  waits(leftMs = 40_000): void {
    this.on({ type: "engine-pin-waits", run: RUN, label: "Living room", leftMs });
  }

  on(event: SessionEvent): void {
    for (const command of this.core.handle(event, this.now)) this.#take(command);
  }

  /** What was answered since the last call. */
  answered(): [number, string][] {
    return this.answers.splice(0).map(([ticket, { outcome }]) => [ticket, outcome]);
  }

  #take(command: SessionCommand): void {
    if (command.type === "answer-pin") this.answers.push([command.ticket, command.outcome]);
    else if (command.type === "relay-pin") {
      this.relayed.push(this.#tickets.get(command.sealed.enc) ?? 0);
    } else if (command.type !== "journal" && command.type !== "phase") {
      this.others.push(command.type);
    }
  }
}

const wrong = (triesLeft: number): UnlockFailure => ({ failure: "wrong-pin", triesLeft });

Deno.test("a second PIN waits for the first, and is then tried", () => {
  const bench = new Bench();
  bench.pin(1);
  bench.pin(2);
  assert.deepEqual([bench.relayed, bench.answered()], [[1], []]);
  bench.fails(wrong(2));
  assert.deepEqual([bench.relayed, bench.answered()], [[1, 2], [[1, "wrong-pin"]]]);
  assert.equal(bench.core.phase.phase, "unlocking");
  bench.on({ type: "engine-grant", run: RUN, grant: GRANT });
  bench.pin(3);
  bench.on({ type: "grant-applied", run: RUN });
  assert.deepEqual(bench.answered(), [[2, "up"], [3, "up"]]);
  assert.deepEqual(bench.relayed, [1, 2], "with the session up nothing is left to try");
});

Deno.test("no PIN that waited is tried as the last one unless its holder saw that it is", () => {
  const bench = new Bench({ triesLeft: 2 });
  bench.pin(1);
  bench.pin(2);
  bench.fails(wrong(1));
  assert.deepEqual(bench.answered(), [[1, "wrong-pin"], [2, "not-tried"]]);
  assert.deepEqual(bench.relayed, [1]);
  assert.equal(bench.core.phase.phase, "pin-asked");
  bench.pin(3);
  bench.pin(4);
  assert.deepEqual(bench.relayed, [1, 3], "who saw it may");
  bench.fails({ failure: "blocked" });
  assert.deepEqual(bench.answered(), [[3, "blocked"], [4, "blocked"]]);
});

Deno.test("who waits is bounded, one of each terminal, and for this engine", () => {
  const bench = new Bench();
  bench.pin(1, "a");
  bench.pin(2, "a");
  bench.pin(3, "b");
  bench.pin(4, "b");
  bench.pin(5, "c", "another engine");
  assert.deepEqual(bench.answered(), [[2, "busy"], [4, "busy"], [5, "stale"]]);
  for (let ticket = 10; ticket < 10 + limits.PINS_WAITING; ticket++) bench.pin(ticket);
  assert.deepEqual(bench.answered(), [[9 + limits.PINS_WAITING, "busy"]]);
});

Deno.test("whatever ends the first one answers all who wait", () => {
  const ends: [SessionEvent, string][] = [
    [{ type: "readers", readers: [{ name: "R", card: "absent", counter: 2 }] }, "card-gone"],
    [{ type: "engine-ended", run: RUN, reason: "x" }, "failed"],
    [{
      type: "engine-unlock-failed",
      run: RUN,
      why: { failure: "refused", fault: "forged" },
    }, "refused"],
    [{ type: "engine-unlock-failed", run: RUN, why: { failure: "failed", reason: "x" } }, "failed"],
    [{ type: "lock", by: "admin" }, "card-gone"],
    [{ type: "revoked", run: RUN, reason: "lost" }, "card-gone"],
    [{ type: "stop" }, "card-gone"],
  ];
  for (const isSuspended of [false, true]) {
    for (const [end, outcome] of ends) {
      const bench = new Bench();
      bench.pin(1);
      if (isSuspended) bench.waits();
      bench.pin(2);
      bench.on(end);
      assert.deepEqual(bench.answered().sort(), [[1, outcome], [2, outcome]], end.type);
    }
  }
});

Deno.test("while a terminal has the card a PIN waits, its page says who and how long, and it goes on", () => {
  const bench = new Bench();
  bench.pin(1);
  bench.waits(40_000);
  assert.deepEqual({ ...bench.core.phase }, {
    ...{ phase: "suspended", holder: "Hana", busy: "Living room", until: 40_000 },
    from: "192.0.2.1",
  });
  bench.now = 39_000;
  bench.on({ type: "tick" });
  assert.equal(bench.core.phase.phase, "suspended", "longer than unlocking may take");
  bench.on({ type: "engine-pin-begins", run: RUN });
  assert.equal(bench.core.phase.phase, "unlocking");
  assert.equal(bench.core.deadline, 39_000 + limits.UNLOCK_MS);
  bench.on({ type: "engine-grant", run: RUN, grant: GRANT });
  bench.on({ type: "grant-applied", run: RUN });
  assert.deepEqual(bench.answered(), [[1, "up"]]);
  assert.deepEqual(bench.relayed, [1], "once");
});

Deno.test("a card that isn't given back in time ends the wait", () => {
  const bench = new Bench();
  bench.pin(1);
  bench.waits(40_000);
  bench.now = bench.core.deadline ?? 0;
  assert.ok(bench.now >= 40_000);
  bench.on({ type: "tick" });
  assert.deepEqual(bench.answered(), [[1, "failed"]]);
  assert.deepEqual(bench.others, ["end-engine"]);
});

Deno.test("giving up: whoever's PIN it is, nobody else; the next one takes its place", () => {
  const bench = new Bench();
  bench.pin(1);
  bench.on({ type: "pin-given-up", from: "192.0.2.1" });
  assert.deepEqual([bench.answered(), bench.others], [[], []], "it is being tried already");
  bench.waits();
  bench.pin(2);
  bench.pin(3);
  bench.on({ type: "pin-given-up", from: "192.0.2.9" });
  assert.deepEqual([bench.answered(), bench.others], [[], []]);
  bench.on({ type: "pin-given-up", from: "192.0.2.3" });
  assert.deepEqual([bench.answered(), bench.others], [[[3, "given-up"]], []]);
  bench.on({ type: "pin-given-up", from: "192.0.2.1" });
  assert.deepEqual([bench.answered(), bench.others], [[], ["drop-pin"]]);
  bench.fails({ failure: "given-up" });
  assert.deepEqual([bench.answered(), bench.relayed], [[[1, "given-up"]], [1, 2]]);
  bench.waits();
  bench.on({ type: "pin-given-up", from: "192.0.2.2" });
  bench.fails({ failure: "given-up" });
  assert.deepEqual(bench.answered(), [[2, "given-up"]]);
  assert.equal(bench.core.phase.phase, "pin-asked");
});

Deno.test("tries that a terminal spent are told, before a PIN and while one waits", () => {
  const bench = new Bench();
  bench.on({ type: "engine-tries", run: RUN, triesLeft: 2 });
  const asked = { phase: "pin-asked", holder: "Hana", wrong: false } as const;
  assert.deepEqual({ ...bench.core.phase }, { ...asked, triesLeft: 2 });
  bench.pin(1);
  bench.waits();
  bench.pin(2);
  bench.on({ type: "engine-tries", run: RUN, triesLeft: 1 });
  bench.fails({ failure: "last-try", triesLeft: 1 });
  assert.deepEqual(bench.answered(), [[1, "not-tried"], [2, "not-tried"]]);
  assert.deepEqual({ ...bench.core.phase }, { ...asked, triesLeft: 1 });
  bench.on({ type: "engine-tries", run: RUN, triesLeft: 0 });
  assert.deepEqual({ ...bench.core.phase }, { phase: "blocked", holder: "Hana" });
  const waiting = new Bench();
  waiting.pin(1);
  waiting.waits();
  waiting.on({ type: "engine-tries", run: RUN, triesLeft: 0 });
  assert.deepEqual(waiting.answered(), [[1, "blocked"]]);
});
