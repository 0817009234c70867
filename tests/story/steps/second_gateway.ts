import assert from "node:assert/strict";
import { enterPin, openOffice, portalState, unlock, untilPhase } from "../visits.ts";
import type { World } from "../world.ts";

/** The same card in the other gateway takes over; an expired one gets no prompt. */
export async function moveCard(world: World): Promise<void> {
  const { boxes: [first, second], hub, cards, teller } = world;
  const [terminal] = first.site.terminals;
  const [elsewhere] = second.site.terminals;
  assert.ok(terminal && elsewhere);

  teller.step("The same card in the second gateway: up, and the hub follows");
  await first.takeAway();
  await unlock(elsewhere, second, cards.office);
  await openOffice(elsewhere);
  const endpoint = await hub.endpointOf(cards.office.publicKey);
  assert.ok(
    endpoint?.startsWith(`${second.site.plan.line.box.address}:`),
    `the hub sees the card at ${endpoint}`,
  );
  await second.takeAway();
  await untilPhase(elsewhere, second, ["no-card"]);

  teller.step("An expired card: refused before any PIN is asked for");
  await first.insert(cards.expired);
  const { pinTries } = await first.softcard.status();
  const state = await untilPhase(terminal, first, ["expired", "pin-asked"]);
  assert.equal(state.phase, "expired");
  assert.equal(state.target, undefined);
  await assert.rejects(enterPin(terminal, first, cards.expired.pin), /asks for no PIN/);
  assert.equal((await portalState(terminal, first)).phase, "expired");
  assert.equal((await first.softcard.status()).pinTries, pinTries);
  await first.takeAway();
  await untilPhase(terminal, first, ["no-card"]);
}
