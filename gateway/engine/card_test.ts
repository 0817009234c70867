/** Cards that the engine can't use, each with its word; what none of these tests has is a good one. */
import assert from "node:assert/strict";
import { HeldInProcess } from "../../tests/token/held_card.ts";
import { lookAtCard } from "./card.ts";

async function wordFor(answer: (command: Uint8Array) => number | undefined) {
  class Odd extends HeldInProcess {
    override transmit(command: Uint8Array): Promise<Uint8Array> {
      const sw = answer(command);
      if (sw === undefined) return super.transmit(command);
      return Promise.resolve(Uint8Array.of(sw >> 8, sw & 0xff));
    }
  }
  const faults: string[] = [];
  const { report } = await lookAtCard(new Odd(), {
    issuerKeys: [],
    now: 0,
    askGateway: () => assert.fail("nothing genuine is there"),
    onFault: (message) => faults.push(message),
  });
  assert.ok(report.card === "refused");
  return { fault: report.fault, faults };
}

Deno.test("a card with neither a PIV nor an OpenPGP application is of an unknown kind", async () => {
  const [fileNotFound, unsupported] = [0x6a82, 0x6d00];
  for (const sw of [fileNotFound, unsupported]) {
    assert.deepEqual(await wordFor(() => sw), { fault: "unknown-kind", faults: [] });
  }
});

Deno.test("a PIV card that refuses to be read is no other kind of card, and the journal hears why", async () => {
  const conditionsNotSatisfied = 0x6985;
  const { fault, faults } = await wordFor((command) =>
    command[1] === 0xcb ? conditionsNotSatisfied : undefined
  );
  assert.equal(fault, "unreadable-card");
  assert.match(faults.join(), /6985/);
});
