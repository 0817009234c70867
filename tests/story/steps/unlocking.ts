import assert from "node:assert/strict";
import { OFFICE } from "../plan.ts";
import { UplinkWatch } from "../uplink.ts";
import { enterPin, portalState, untilPhase } from "../visits.ts";
import type { World } from "../world.ts";

/** Card in, wrong PIN, right PIN: a message and a try less, then the tunnel. */
export async function unlockByPin(world: World): Promise<void> {
  const { boxes: [box], cards: { office }, network, teller } = world;
  const [terminal, other] = box.site.terminals;
  assert.ok(terminal && other);

  teller.step("Card in, wrong PIN: a message, one try less");
  await box.insert(office);
  const asked = await untilPhase(terminal, box, ["pin-asked"]);
  const tries = asked.triesLeft ?? 0;
  assert.equal(tries, (await box.softcard.status()).pinTries);
  const wrong = await enterPin(terminal, box, wrongPin(office.pin));
  assert.deepEqual([wrong.outcome, wrong.triesLeft], ["wrong-pin", tries - 1]);
  const told = await portalState(terminal, box);
  assert.deepEqual([told.phase, told.wrong, told.triesLeft], ["pin-asked", true, tries - 1]);
  assert.equal((await box.softcard.status()).pinTries, tries - 1);
  teller.note(`the portal says so, and ${tries - 1} tries are left`);

  teller.step("Right PIN: the tunnel is up");
  await using uplink = await UplinkWatch.start(network, box.site);
  const began = Date.now();
  // Another terminal knocks all the time: the first answer tells when the way was open.
  const knocking = other.do("echo", { address: OFFICE.web.address, port: OFFICE.echoPort });
  const right = await enterPin(terminal, box, office.pin);
  assert.equal(right.outcome, "up", JSON.stringify(right));
  const { answeredAt } = await knocking;
  assert.ok(answeredAt > right.enteredAt, "the office answered before the PIN");
  teller.figure({
    name: "pin-to-first-answer",
    label: "PIN to the first packet that the office answered",
    value: answeredAt - right.enteredAt,
    unit: "ms",
    goal: 300,
  });
  teller.figure({
    name: "pin-to-portal-up",
    label: "PIN to the portal's answer",
    value: right.answeredAt - right.enteredAt,
    unit: "ms",
  });
  assert.equal((await box.softcard.status()).pinTries, tries, "a right PIN restores the tries");
  // No server is asked on the way: all that the box has sent is the tunnel's.
  const { tunnel } = await uplink.assertNoLeak(began);
  assert.ok(tunnel.length > 0);
}

/** Another PIN of the same length, whatever the digits. */
export function wrongPin(pin: string): string {
  return [...pin].map((digit) => (Number(digit) + 1) % 10).join("");
}
