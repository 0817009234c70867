/** What people at terminals do again and again, with what they expect to see. */
import assert from "node:assert/strict";
import { sleep } from "../lab/machine.ts";
import type { Box, PortalAnswer } from "./box.ts";
import type { Card } from "./card.ts";
import { OFFICE } from "./plan.ts";
import type { Terminal } from "./terminal.ts";

/** Guards against hanging, not measures: a PIN may wait for a card that a terminal has. */
const PHASE_LIMIT_MS = 60_000;
const PIN_LIMIT_MS = 120_000;

export const OFFICE_URL = `http://${OFFICE.web.address}/`;
export const OFFICE_URL6 = `http://[${OFFICE.web.address6}]/`;
export const OFFICE_NAME_URL = `http://${OFFICE.web.name}/`;

/** Opens a page of the office; fails unless it is the office that answers. */
export async function openOffice(terminal: Terminal, url = OFFICE_URL): Promise<number> {
  const { status, text, ms } = await terminal.do("open", { url });
  assert.equal(status, 200, text);
  assert.match(text, /^This is the office\./);
  return ms;
}

/** What the portal says now. */
export async function portalState(terminal: Terminal, box: Box): Promise<PortalAnswer> {
  const url = `${box.portal}/api/portal`;
  const { status, text } = await terminal.do("open", { url, ca: box.authority });
  assert.equal(status, 200, text);
  return JSON.parse(text);
}

/** Waits until the portal is in one of these phases. */
export async function untilPhase(
  terminal: Terminal,
  box: Box,
  phases: readonly string[],
): Promise<PortalAnswer> {
  let seen: PortalAnswer | undefined;
  for (const end = Date.now() + PHASE_LIMIT_MS; Date.now() < end; await sleep(20)) {
    seen = await portalState(terminal, box);
    if (phases.includes(seen.phase)) return seen;
  }
  throw new Error(
    `The portal of ${box.machine.name} does not come to ${phases}: ${
      JSON.stringify(seen)
    }\n${box.lastEvents()}`,
  );
}

/** Waits until no engine runs: its end comes after the portal's word that the card went. */
export async function untilNoEngine(box: Box): Promise<void> {
  let left = box.engines();
  for (const end = Date.now() + 10_000; left.length > 0; left = box.engines()) {
    if (Date.now() > end) {
      throw new Error(`Engines of ${box.machine.name} are left: ${left}\n${box.lastEvents()}`);
    }
    await sleep(10);
  }
}

/** What the portal answered to a PIN. Times are Unix milliseconds. */
export interface PinAnswer {
  readonly outcome: string;
  readonly triesLeft?: number;
  readonly fault?: string;
  readonly enteredAt: number;
  readonly answeredAt: number;
}

/** Types a PIN into the portal that asks for one, and the user id where it asks for that too. */
export async function enterPin(
  terminal: Terminal,
  box: Box,
  pin: string,
  { userId }: { userId?: string } = {},
): Promise<PinAnswer> {
  const { portal, authority: ca } = box;
  const answer = await terminal.do("enterPin", {
    ...{ portal, ca, pin, timeoutMs: PIN_LIMIT_MS },
    ...(userId === undefined ? {} : { userId }),
  });
  assert.equal(answer.status, 200, answer.text);
  const { enteredAt, answeredAt } = answer;
  return { ...JSON.parse(answer.text), enteredAt, answeredAt };
}

/** Card in, PIN asked, PIN entered, tunnel up. */
export async function unlock(terminal: Terminal, box: Box, card: Card): Promise<PinAnswer> {
  await box.insert(card);
  return await unlockInserted(terminal, box, card);
}

export async function unlockInserted(
  terminal: Terminal,
  box: Box,
  card: Card,
): Promise<PinAnswer> {
  await untilPhase(terminal, box, ["pin-asked"]);
  const answer = await enterPin(terminal, box, card.pin);
  assert.equal(answer.outcome, "up", JSON.stringify(answer));
  return answer;
}
