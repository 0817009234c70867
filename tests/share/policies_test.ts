/** What a policy can change: sharing before the PIN, and a PIN that isn't kept. */
import assert from "node:assert/strict";
import { searchMemory } from "../lab/memory_search.ts";
import { labTest } from "../lab/needs.ts";
import { OFFICE } from "../story/plan.ts";
import type { Terminal } from "../story/terminal.ts";
import { enterPin, openOffice, unlock, untilPhase } from "../story/visits.ts";
import { ApiClient, SELECT_PIV, TRIES } from "./api_client.ts";
import { openSharedWorld, until } from "./shared_world.ts";

labTest("before its PIN a card is lent too, where policy says so", async (t) => {
  await using world = await openSharedWorld("on-card", `terminals = ["*"]\nbefore_unlock = true`);
  const { boxes: [box], cards: { office: card } } = world;
  const [first, second] = box.site.terminals;
  assert.ok(first && second);
  const one = new ApiClient(first, box);
  const two = new ApiClient(second, box);
  const searchPin = (pids: readonly number[]) =>
    searchMemory(pids, [{ name: "PIN", bytes: new TextEncoder().encode(card.pin) }]).hits;

  await t.step("tries that a terminal spent are what the portal says of them", async () => {
    await box.insert(card);
    assert.equal((await untilPhase(first, box, ["pin-asked"])).triesLeft, 3);
    await untilOpen(one);
    const held = await one.granted();
    assert.match(await one.command(held.id, SELECT_PIV), /9000$/);
    assert.equal(await one.enterPin(held.id, "00000000"), "63c2");
    await one.release(held.id);
    const triesLeft = async () => (await untilPhase(second, box, ["pin-asked"])).triesLeft;
    await until("it says 2", async () => await triesLeft() === 2);
  });

  await t.step("while a terminal has the card a PIN waits, and may be given up", async () => {
    const held = await one.granted();
    const answer = enterPin(second, box, card.pin);
    const told = await untilPhase(second, box, ["suspended"]) as unknown as Suspended;
    assert.deepEqual([told.busy, told.mine], ["terminal-1", true]);
    assert.ok(told.until > Date.now() && told.until < Date.now() + 61_000, `${told.until}`);
    const other = await untilPhase(first, box, ["suspended"]) as unknown as Suspended;
    assert.deepEqual([other.busy, other.mine], ["terminal-1", false]);
    assert.equal(await knock(first, 1), HANGS, "other connections wait with it");
    const giveUp = { url: `${box.portal}/api/pin/give-up`, ca: box.authority, method: "POST" };
    const headers = { origin: box.portal };
    assert.equal((await first.do("open", { ...giveUp, headers })).status, 409);
    assert.equal((await second.do("open", { ...giveUp, headers })).status, 204);
    assert.equal((await answer).outcome, "given-up");
    assert.equal((await untilPhase(second, box, ["pin-asked"])).triesLeft, 2, "none was spent");
    assert.equal(await knock(first, 30), REFUSED, "and are refused again");
    assert.match(await one.command(held.id, SELECT_PIV), /9000$/, "and nobody was disturbed");
    await one.release(held.id);
  });

  await t.step(
    "it waits sealed, goes before all who wait, and opens the card by itself",
    async () => {
      const held = await one.granted();
      const waits = await two.request();
      const answer = enterPin(second, box, card.pin);
      await untilPhase(second, box, ["suspended"]);
      assert.deepEqual(searchPin(box.ownPids()), [], "in no process, the engine's neither");
      assert.match(await one.command(held.id, SELECT_PIV), /9000$/);
      await one.release(held.id);
      assert.equal((await answer).outcome, "up", JSON.stringify(await answer));
      assert.ok(searchPin(box.engines()).length > 0, "the search finds it where it is now");
      await openOffice(second);
      const next = await two.settled(waits.id);
      assert.ok(next.state === "granted", JSON.stringify(next));
      assert.equal(
        await two.command(next.id, TRIES),
        "63c3",
        "the holder's PIN gave the tries back",
      );
      assert.equal(await two.command(next.id, USE_82), "6985", "asked before, granted after");
      await two.release(next.id);
      await openOffice(first);
    },
  );
});

labTest(
  "a PIN that isn't kept is asked again after an on-card session's card was lent",
  async () => {
    await using world = await openSharedWorld("on-card", `terminals = ["*"]\npin = "ask"`);
    const { boxes: [box], cards: { office: card } } = world;
    const [first, second] = box.site.terminals;
    assert.ok(first && second);
    const one = new ApiClient(first, box);
    const two = new ApiClient(second, box);
    await unlock(first, box, card);
    await untilOpen(one);
    const held = await one.granted();
    assert.match(await one.command(held.id, SELECT_PIV), /9000$/);
    await openOffice(first);
    const waits = await two.request();
    await one.release(held.id);
    await untilPhase(first, box, ["pin-asked"]);
    const answer = await enterPin(first, box, card.pin);
    assert.equal(answer.outcome, "up", JSON.stringify(answer));
    await openOffice(first);
    const next = await two.settled(waits.id);
    assert.ok(next.state === "granted", `who waited behind it waits on: ${JSON.stringify(next)}`);
    assert.match(await two.command(next.id, SELECT_PIV), /9000$/);
  },
);

/** What the portal says while a PIN waits. */
interface Suspended {
  readonly busy: string;
  readonly until: number;
  readonly mine: boolean;
}

/** GENERAL AUTHENTICATE with the slot of the tunnel's identity. */
const USE_82 = "0087e182047c02820000";

/** How a program ends that connects to the office for so long: bash's and timeout's codes. */
const REFUSED = 1;
const HANGS = 124;

async function knock(terminal: Terminal, seconds: number): Promise<number> {
  const connect = `: < /dev/tcp/${OFFICE.web.address}/443`;
  const { code } = await terminal.machine.run(["timeout", `${seconds}`, "bash", "-c", connect]);
  return code;
}

async function untilOpen(client: ApiClient): Promise<void> {
  await until("it is lent", async () => (await client.share()).open);
}
