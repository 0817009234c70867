/**
 * In a guest that sleeps (guest_test.ts): what a gateway's session is after it, with the card left in,
 * or swapped meanwhile.
 */
import assert from "node:assert/strict";
import { awakeTime, bootTime } from "../../os/clock.ts";
import { issueCard } from "../stick/issue_card.ts";
import { openGround, Place } from "../stick/place.ts";
import { Hands, handsTest } from "./hands.ts";
import { GuestSession } from "./session.ts";
import { UsbReaders } from "./usb_readers.ts";

/** To RAM: QEMU's processor has no idle state in which the clock stands still with "freeze". */
const STATE = "mem";
const SLEEP_SECONDS = 6;

handsTest("a gateway sleeps: no key outlives it, whatever became of the card", async () => {
  const ground = await openGround();
  await using stack = new AsyncDisposableStack();
  stack.use(ground.lab);
  using hands = await Hands.open();
  const { box, terminal } = ground;
  stack.use(await UsbReaders.start(box));
  await hands.do("plug");
  await hands.do("insert Bob");
  await issueCard(ground, { address: "10.7.0.3/32", name: "Bob Example" });
  await hands.do("pull");
  await hands.do("insert Alice");
  await issueCard(ground, { address: "10.7.0.2/32", name: "Alice Example" });

  const place = stack.use(await Place.open(ground));
  const session = new GuestSession(place);
  const left = await session.up();
  const pinged = await terminal.spawn(["ping", "-i", "0.05", "10.7.0.1"], { stdout: "null" });
  await hands.do("lose power when asleep");
  await session.ends(left, "slept, card left in", sleepThrough);
  await pinged.stop();
  await place.until("pin-asked");
  assert.notEqual((await terminal.run(["ping", "-c", "1", "-W", "1", "10.7.0.1"])).code, 0);

  const swapped = await session.up();
  await hands.do("swap for Bob when asleep");
  await session.ends(swapped, "slept, card swapped meanwhile", sleepThrough);
  await session.up("Bob Example");
});

/** Puts the machine to sleep; resolves when its alarm clock has woken it. */
async function sleepThrough(): Promise<void> {
  const slept = () => bootTime() - awakeTime();
  const before = slept();
  const { code, stderr } = await new Deno.Command("rtcwake", {
    args: ["--mode", STATE, "--seconds", String(SLEEP_SECONDS)],
    stdout: "null",
  }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  const seconds = (slept() - before) / 1000;
  console.log(`slept (${STATE}): ${seconds.toFixed(1)} s by the two clocks`);
  assert.ok(seconds > 1, "the machine slept");
}
