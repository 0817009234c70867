/**
 * In a guest with two USB readers (guest_test.ts): cards swapped in one of them, a second reader that is
 * plugged in under a session, and what becomes of that session's place when it ends.
 */
import assert from "node:assert/strict";
import type { Machine } from "../lab/machine.ts";
import { issueCard, tokenIn } from "../stick/issue_card.ts";
import { openGround, Place } from "../stick/place.ts";
import { enginePids } from "../story/observer.ts";
import { Hands, handsTest } from "./hands.ts";
import { GuestSession } from "./session.ts";
import { UsbReaders } from "./usb_readers.ts";

const ALICE = "Alice Example";
const BOB = "Bob Example";

handsTest(
  "cards and readers come and go beside a session: one ends, the next is asked for",
  async () => {
    const ground = await openGround();
    await using stack = new AsyncDisposableStack();
    stack.use(ground.lab);
    using hands = await Hands.open();
    const { box } = ground;
    stack.use(await UsbReaders.start(box));
    await hands.do("plug the first");
    await hands.do("insert Alice into the first");
    await issueCard(ground, { address: "10.7.0.2/32", name: ALICE });
    await hands.do("pull from the first");
    await hands.do("insert Bob into the first");
    await issueCard(ground, { address: "10.7.0.3/32", name: BOB });
    await hands.do("pull from the first");

    const place = stack.use(await Place.open(ground));
    const session = new GuestSession(place);
    await hands.do("insert Alice into the first");
    const before = await session.up(ALICE);
    await session.ends(before, "card swapped", async () => {
      await hands.do("pull from the first");
      await hands.do("insert Bob into the first");
    });
    const swapped = await session.up(BOB);
    await session.ends(swapped, "card pulled", () => hands.do("pull from the first"));

    // A second reader, and a card in it, are nothing to a session that runs.
    await hands.do("insert Alice into the first");
    const first = await session.up(ALICE);
    await hands.do("plug the second");
    await hands.do("insert Bob into the second");
    while (await cardsIn(box) < 2) continue;
    assert.equal((await place.portal()).phase, "up");
    assert.deepEqual(enginePids(box.pids()), [first.engine]);
    await place.reach();

    // The one that has waited is asked for at once.
    await session.ends(first, "first reader unplugged", () => hands.do("unplug the first"));
    const second = await session.up(BOB);
    await hands.do("plug the first");
    await hands.do("insert Alice into the first");
    await session.ends(second, "pulled from the second", () => hands.do("pull from the second"));
    await session.up(ALICE);
  },
);

/** How many cards this machine's readers have. */
async function cardsIn(machine: Machine): Promise<number> {
  const readers: { card: string }[] = JSON.parse(await tokenIn(machine, ["list", "--json"]));
  return readers.filter(({ card }) => card === "present").length;
}
