/** What a card can do wrong, on the whole gateway: each has its own message, and none sticks. */
import assert from "node:assert/strict";
import { sleep } from "../lab/machine.ts";
import { labTest } from "../lab/needs.ts";
import type { Box } from "../story/box.ts";
import type { Card } from "../story/card.ts";
import { wrongPin } from "../story/steps/unlocking.ts";
import { readProfileObjects, writeProfileObjects } from "../story/card_image.ts";
import { openWorld } from "../story/open_world.ts";
import { PlainTeller } from "../story/teller.ts";
import type { Terminal } from "../story/terminal.ts";
import {
  enterPin,
  openOffice,
  portalState,
  unlock,
  unlockInserted,
  untilNoEngine,
  untilPhase,
} from "../story/visits.ts";
import type { World } from "../story/world.ts";
import { passkeyInBrowser } from "./passkey_browser.ts";

/** More exchanges than a look at a card or an unlocking has; a guard, not a measure. */
const MOST_COMMANDS = 80;

labTest("cards that are pulled, broken or forged", async (t) => {
  await using world = await openWorld({ hub: "stock", identity: "sealed" }, new PlainTeller(), {
    spoilt: true,
    tables: "[passkeys]\n",
  });
  const { boxes: [box], cards } = world;
  const [terminal] = box.site.terminals;
  assert.ok(terminal);
  const at: Place = { world, box, terminal, card: cards.office };
  await t.step("pulled in each command of the first look", () => pullDuringLook(at));
  await t.step("pulled in each command of unlocking", () => pullDuringUnlock(at));
  await t.step("garbage and silence while it is looked at", () => faultDuringLook(at));
  await t.step("garbage and silence while it is unlocked", () => faultDuringUnlock(at));
  await t.step("profiles that must not count, each with its word", () => badProfiles(at));
  await t.step("a passkey in the PIN's place, in a browser", () => passkeyInBrowser(at));
  await t.step("a card that is blocked", () => blocked(at));
});

interface Place {
  readonly world: World;
  readonly box: Box;
  readonly terminal: Terminal;
  readonly card: Card;
}

async function pullDuringLook({ box, terminal, card }: Place): Promise<void> {
  await box.insert(card);
  await untilPhase(terminal, box, ["pin-asked"]);
  const { pinTries } = await box.softcard.status();
  await pull(terminal, box);
  let command = 1;
  for (; command <= MOST_COMMANDS; command++) {
    await box.softcard.fault(`pull-at ${command}`);
    await box.insertFleeting(card);
    if (!await pulledBefore({ box, terminal }, ["pin-asked"])) break;
    assert.deepEqual((await untilPhase(terminal, box, ["no-card"])).phase, "no-card");
  }
  assert.ok(command > 3 && command < MOST_COMMANDS, `${command} commands to look at a card`);
  await box.softcard.fault("none");
  await unlockInserted(terminal, box, card);
  await openOffice(terminal);
  assert.equal((await box.softcard.status()).pinTries, pinTries);
  await pull(terminal, box);
}

async function pullDuringUnlock({ box, terminal, card }: Place): Promise<void> {
  let command = 1;
  for (; command <= MOST_COMMANDS; command++) {
    await box.insert(card);
    await untilPhase(terminal, box, ["pin-asked"]);
    const { pinTries } = await box.softcard.status();
    await box.softcard.fault(`pull-at ${command}`);
    const answer = await enterPin(terminal, box, card.pin);
    if (answer.outcome === "up") break;
    assert.equal(answer.outcome, "card-gone", `pulled in command ${command}`);
    await untilPhase(terminal, box, ["no-card"]);
    assert.equal((await box.softcard.status()).pinTries, pinTries);
    await untilNoEngine(box);
  }
  assert.ok(command > 1 && command < MOST_COMMANDS, `${command} commands to unlock a card`);
  await box.softcard.fault("none");
  await openOffice(terminal);
  await pull(terminal, box);
}

async function faultDuringLook({ box, terminal, card }: Place): Promise<void> {
  for (const fault of ["garbage", "silent"]) {
    await box.softcard.fault(fault);
    await box.insert(card);
    const state = await untilPhase(terminal, box, ["refused", "failed", "pin-asked"]);
    assert.notEqual(state.phase, "pin-asked", fault);
    if (state.phase === "refused") {
      assert.ok(["unreadable-card", "unknown-kind"].includes(state.fault ?? ""), fault);
    }
    await recovers({ box, terminal, card });
  }
}

async function faultDuringUnlock({ box, terminal, card }: Place): Promise<void> {
  for (const fault of ["garbage", "silent"]) {
    await box.insert(card);
    await untilPhase(terminal, box, ["pin-asked"]);
    await box.softcard.fault(fault);
    const answer = await enterPin(terminal, box, card.pin);
    assert.ok(["failed", "refused"].includes(answer.outcome), `${fault}: ${answer.outcome}`);
    await recovers({ box, terminal, card });
  }
}

/** The card out and in again: all is as it should be. */
async function recovers({ box, terminal, card }: Omit<Place, "world">): Promise<void> {
  await pull(terminal, box);
  await box.softcard.fault("none");
  await box.insert(card);
  await unlockInserted(terminal, box, card);
  await openOffice(terminal);
  await pull(terminal, box);
}

async function badProfiles({ world, box, terminal, card }: Place): Promise<void> {
  await box.takeAway();
  const good = readProfileObjects(card.state);
  const other = readProfileObjects(world.cards.direct.state);
  assert.ok(world.cards.spoilt);
  const { older, forged } = world.cards.spoilt;
  const change = (edit: (bytes: Uint8Array) => Uint8Array, which: "head" | "sealed") =>
    new Map([...good].map(([tag, object]) => {
      const isHead = new TextDecoder("latin1").decode(object.bytes.subarray(0, 4)) === "SKSH";
      const bytes = isHead === (which === "head") ? edit(object.bytes.slice()) : object.bytes;
      return [tag, { ...object, bytes }];
    }));
  const spoilt = {
    "none-on-card": new Map(),
    "damaged": change((bytes) => bytes.subarray(0, bytes.length - 40), "sealed"),
    "newer-version": change((bytes) => bytes.with(4, 99), "head"),
    "other-card": other,
    forged,
    "older-generation": older,
  };
  // The good one first: its generation is the highest seen.
  await unlock(terminal, box, card);
  await box.takeAway();
  for (const [fault, objects] of Object.entries(spoilt)) {
    writeProfileObjects(card.state, objects);
    await box.insert(card);
    const state = await untilPhase(terminal, box, ["refused", "pin-asked", "failed"]);
    assert.deepEqual([state.phase, state.fault], ["refused", fault]);
    await assert.rejects(enterPin(terminal, box, card.pin), /asks for no PIN/);
    await box.takeAway();
    await untilPhase(terminal, box, ["no-card"]);
  }
  writeProfileObjects(card.state, good);
  await unlock(terminal, box, card);
  await pull(terminal, box);
}

async function blocked({ box, terminal, card }: Place): Promise<void> {
  await box.insert(card);
  let { triesLeft = 0 } = await untilPhase(terminal, box, ["pin-asked"]);
  const wrong = wrongPin(card.pin);
  for (; triesLeft > 1; triesLeft--) {
    const answer = await enterPin(terminal, box, wrong);
    assert.deepEqual([answer.outcome, answer.triesLeft], ["wrong-pin", triesLeft - 1]);
  }
  assert.equal((await enterPin(terminal, box, wrong)).outcome, "blocked");
  assert.equal((await portalState(terminal, box)).phase, "blocked");
  await pull(terminal, box);
  await box.insert(card);
  await untilPhase(terminal, box, ["blocked"]);
  await pull(terminal, box);
}

/** Waits until the gateway is in a phase or the card left the reader by itself; true when it left. */
async function pulledBefore(
  { box, terminal }: Pick<Place, "box" | "terminal">,
  phases: readonly string[],
): Promise<boolean> {
  for (const end = Date.now() + 30_000; Date.now() < end; await sleep(20)) {
    if ((await box.softcard.status()).presence === "removed") return true;
    if (phases.includes((await portalState(terminal, box)).phase)) return false;
  }
  throw new Error("Neither was the card pulled nor its PIN asked for");
}

async function pull(terminal: Terminal, box: Box): Promise<void> {
  await box.remove();
  await untilPhase(terminal, box, ["no-card"]);
}
