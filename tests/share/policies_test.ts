/** What a policy can change: sharing before the PIN, and a PIN that isn't kept. */
import assert from "node:assert/strict";
import { sleep } from "../lab/machine.ts";
import { labTest } from "../lab/needs.ts";
import { enterPin, openOffice, unlock, untilPhase } from "../story/visits.ts";
import { ApiClient, SELECT_PIV, TRIES } from "./api_client.ts";
import { openSharedWorld } from "./shared_world.ts";

labTest(
  "before its PIN a card is lent too, where policy says so; the PIN takes it back",
  async () => {
    await using world = await openSharedWorld("on-card", `terminals = ["*"]\nbefore_unlock = true`);
    const { boxes: [box], cards: { office: card } } = world;
    const [first, second] = box.site.terminals;
    assert.ok(first && second);
    const one = new ApiClient(first, box);
    await box.insert(card);
    await untilPhase(first, box, ["pin-asked"]);
    await untilOpen(one);
    const held = await one.granted();
    assert.match(await one.command(held.id, SELECT_PIV), /9000$/);
    const wrong = await one.enterPin(held.id, "00000000");
    assert.equal(wrong, "63c2");
    const answer = await enterPin(second, box, card.pin);
    assert.equal(answer.outcome, "up", JSON.stringify(answer));
    assert.equal(await one.over(held.id), "holder");
    await openOffice(second);
    const after = await one.granted();
    assert.equal(await one.command(after.id, TRIES), "63c3", "the holder's PIN gave the try back");
    await one.release(after.id);
    await openOffice(first);
  },
);

labTest(
  "a PIN that isn't kept is asked again after an on-card session's card was lent",
  async () => {
    await using world = await openSharedWorld("on-card", `terminals = ["*"]\npin = "ask"`);
    const { boxes: [box], cards: { office: card } } = world;
    const [first] = box.site.terminals;
    assert.ok(first);
    const one = new ApiClient(first, box);
    await unlock(first, box, card);
    await untilOpen(one);
    const held = await one.granted();
    assert.match(await one.command(held.id, SELECT_PIV), /9000$/);
    await openOffice(first);
    await one.release(held.id);
    await untilPhase(first, box, ["pin-asked"]);
    const answer = await enterPin(first, box, card.pin);
    assert.equal(answer.outcome, "up", JSON.stringify(answer));
    await openOffice(first);
  },
);

async function untilOpen(client: ApiClient): Promise<void> {
  for (let n = 0; !(await client.share()).open; n++) {
    assert.ok(n < 200, "it is never lent");
    await sleep(50);
  }
}
