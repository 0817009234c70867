/** Two cards in two readers of one gateway: one has the session, the other waits and has its turn. */
import assert from "node:assert/strict";
import { startPcscd, startSoftcard } from "../lab/pcscd.ts";
import { labTest } from "../lab/needs.ts";
import { issueCard } from "../stick/issue_card.ts";
import { openGround, Place } from "../stick/place.ts";
import { enginePids } from "../story/observer.ts";

const PIN = "123456";
const SECOND_PORT = 35964;

labTest("a card in a second reader waits, and is asked for when the first is pulled", async () => {
  const ground = await openGround();
  await using stack = new AsyncDisposableStack();
  stack.use(ground.lab);
  const { box, lab: { dir } } = ground;
  await box.quickAckLoopback();
  const pcscd = await startPcscd(box);
  stack.defer(() => pcscd.stop());
  const first = await startSoftcard(box, { state: `${dir}/first` });
  stack.defer(() => first.stop());
  await issueCard(ground, { address: "10.7.0.2/32", name: "Alice Example", reader: "00 00" });
  const second = await startSoftcard(box, { state: `${dir}/second`, port: SECOND_PORT });
  stack.defer(() => second.stop());
  await issueCard(ground, { address: "10.7.0.3/32", name: "Bob Example", reader: "00 01" });
  await second.remove();

  const place = stack.use(await Place.open(ground));
  const up = async (holder: string) => {
    assert.equal((await place.until("pin-asked")).holder, holder);
    assert.deepEqual(await place.enter(PIN), { outcome: "up" });
    await place.reach();
    const [engine] = enginePids(box.pids());
    assert.ok(engine !== undefined);
    return engine;
  };
  const alice = await up("Alice Example");
  await second.insert();
  await place.reach();
  assert.deepEqual(enginePids(box.pids()), [alice], "the second card is nothing to the session");
  await first.remove();
  await place.gone(alice);
  const bob = await up("Bob Example");
  await first.insert();
  await second.remove();
  await place.gone(bob);
  await up("Alice Example");
});
