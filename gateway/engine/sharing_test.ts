/** The lending of one card in the engine: turns, waits and policy, with a card that says yes to all. */
import assert from "node:assert/strict";
import type { CardSession } from "../../token/pcsc/types.ts";
import type { LeaseEnd, LeaseRefusal } from "../../token/share/lease_events.ts";
import type { ShareStart } from "./share_messages.ts";
import { type LeaseClient, type LeaseReport, Sharing, type SharingParts } from "./sharing.ts";

const SHARE: ShareStart = {
  ...{ idleMs: 20_000, hardMs: 60_000, beforeUnlock: true, pin: "keep", allow: [] },
};
const OWN_KEY = 0x9d;
const IDENTITY = 0x82;

/** Says 9000 to everything; counts its resets. */
class YesCard implements CardSession {
  readonly reader = "R";
  readonly atr: Uint8Array = Uint8Array.of(0x3b);
  readonly events = 1;
  readonly removed: Promise<void> = new Promise(() => {});
  resets = 0;

  transmit(): Promise<Uint8Array> {
    return Promise.resolve(Uint8Array.of(0x90, 0x00));
  }

  reset(): Promise<void> {
    this.resets++;
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** A terminal: what it was told, in order. */
class Terminal implements LeaseClient {
  readonly said: string[] = [];
  #told: (() => void) | undefined;

  refused(why: LeaseRefusal): void {
    this.#say(`refused ${why}`);
  }

  place(place: number, holder: string): void {
    this.#say(`place ${place} ${holder}`);
  }

  granted(): void {
    this.#say("granted");
  }

  ended(reason: LeaseEnd): void {
    this.#say(`ended ${reason}`);
  }

  async until(line: string): Promise<void> {
    while (!this.said.includes(line)) await new Promise<void>((resolve) => this.#told = resolve);
  }

  #say(line: string): void {
    this.said.push(line);
    this.#told?.();
  }
}

function lend(parts: Partial<SharingParts> = {}) {
  const card = new YesCard();
  const reports: LeaseReport[] = [];
  const sharing = new Sharing({
    ...{ share: SHARE, card, applications: [], rekey: () => sharing.sessionFresh() },
    restore: () => Promise.resolve(),
    report: (report) => reports.push(report),
    onChange: () => {},
    fail: (error) => {
      throw error;
    },
    ...parts,
  });
  const ask = (label: string) => {
    const terminal = new Terminal();
    const lease = sharing.request(terminal, { terminal: { key: label, label }, way: "reader" });
    return { terminal, lease };
  };
  return { sharing, card, reports, ask };
}

async function sw(sharing: Sharing, lease: ReturnType<Sharing["request"]>, command: string) {
  const answer = await sharing.exchange(lease, Uint8Array.fromHex(command));
  return answer.is === "response" ? answer.apdu.toHex() : answer.fault;
}

Deno.test("who asked before the card was unlocked uses no key of the session that came since", async () => {
  const { sharing, ask } = lend();
  sharing.open("none", { protectedKeys: [OWN_KEY] });
  const early = ask("desk");
  await early.terminal.until("granted");
  const waits = ask("kitchen");
  sharing.open("handshakes", { protectedKeys: [OWN_KEY, IDENTITY] });
  sharing.leave(early.lease);
  await waits.terminal.until("granted");
  assert.equal(await sw(sharing, waits.lease, "0087e18200"), "6985");
  assert.equal(await sw(sharing, waits.lease, "0087119a00"), "9000");
  sharing.leave(waits.lease);
});

Deno.test("the holder waits for the lease in force, then goes before all who wait", async () => {
  const { sharing, card, ask } = lend();
  sharing.open("none", { protectedKeys: [OWN_KEY] });
  const first = ask("desk");
  await first.terminal.until("granted");
  const second = ask("kitchen");
  const own = sharing.ownWanted();
  assert.equal(await sw(sharing, first.lease, "00a4040000"), "9000", "nothing is broken off");
  assert.equal(sharing.isOwn, false);
  const resets = card.resets;
  sharing.leave(first.lease);
  assert.equal(await own, "granted");
  assert.equal(card.resets, resets + 1, "nothing of the terminal's is left on the card");
  assert.ok(sharing.isOwn);
  assert.equal(await sw(sharing, second.lease, "00a4040000"), "no-lease");
  sharing.ownDone();
  await second.terminal.until("granted");
  sharing.leave(second.lease);
});

Deno.test("a holder who gives up waiting has not disturbed anybody", async () => {
  const { sharing, ask } = lend();
  sharing.open("none", { protectedKeys: [OWN_KEY] });
  const first = ask("desk");
  await first.terminal.until("granted");
  const own = sharing.ownWanted();
  sharing.ownDone();
  assert.equal(await own, "given-up");
  assert.equal(await sw(sharing, first.lease, "00a4040000"), "9000");
  const second = ask("kitchen");
  sharing.leave(first.lease);
  await second.terminal.until("granted");
  assert.deepEqual(first.terminal.said, ["granted", "ended released"]);
  sharing.leave(second.lease);
});
