/**
 * In a guest with a USB reader (guest_test.ts): the whole path of a card through libccid, and everything
 * that can be pulled is pulled: the card, the reader, the reader in the midst of a command.
 */
import assert from "node:assert/strict";
import { issueCard, tokenIn } from "../stick/issue_card.ts";
import { openGround, Place } from "../stick/place.ts";
import { enginePids } from "../story/observer.ts";
import { Hands, handsTest } from "./hands.ts";
import { GuestSession, PIN } from "./session.ts";
import { UsbReaders } from "./usb_readers.ts";

handsTest("a card in a USB reader: issued, unlocked, and pulled in every way", async () => {
  const ground = await openGround();
  await using stack = new AsyncDisposableStack();
  stack.use(ground.lab);
  using hands = await Hands.open();
  stack.use(await UsbReaders.start(ground.box));
  await hands.do("plug");
  await hands.do("insert");
  await issueCard(ground, { address: "10.7.0.2/32", name: "Alice Example" });
  console.log(`reader: ${(await tokenIn(ground.box, ["list"])).trim()}`);
  await hands.do("pull");

  const place = stack.use(await Place.open(ground));
  const session = new GuestSession(place);
  await place.until("no-card");
  await hands.do("insert");
  await session.ends(await session.up(), "card pulled", () => hands.do("pull"));
  await place.until("no-card");

  await hands.do("insert");
  await session.ends(await session.up(), "reader unplugged", () => hands.do("unplug"));
  await place.until("no-reader");

  // In again, and out while the card is thinking about the PIN.
  await hands.do("plug");
  await hands.do("insert");
  await place.until("pin-asked");
  await hands.do("unplug within VERIFY");
  assert.deepEqual(await place.enter(PIN), { outcome: "card-gone" });
  await place.until("no-reader");
  assert.deepEqual(enginePids(ground.box.pids()), []);
});
