import assert from "node:assert/strict";
import { Lab } from "../lab/lab.ts";
import { labTest } from "../lab/needs.ts";
import { startPcscd, startSoftcard } from "../lab/pcscd.ts";
import { Watch } from "./watch.ts";

labTest("the onlooker sees a card come and go, and engines end", async () => {
  await using lab = await Lab.open();
  const box = await lab.machine("box");
  await box.quickAckLoopback();
  await startPcscd(box);
  const card = await startSoftcard(box, { state: `${lab.dir}/card`, removed: true });
  await using watch = await Watch.start(box);
  const began = Date.now();
  await card.insert();
  const { at: inAt } = await watch.next("card-in", began);
  const other = await box.spawn(["cat", "-", "engineer"], { stdin: "piped" });
  const named = await box.spawn(["cat", "-", "engine"], { stdin: "piped" });
  await card.remove();
  const out = await watch.next("card-out", inAt);
  assert.ok(out.at >= began);
  await named.stop();
  await other.stop();
  const gone = await watch.next("engines-gone", out.at);
  assert.equal(gone.engines, 1);
  assert.ok(gone.at >= out.at);
});

labTest("the onlooker counts an engine that was quicker than it", async () => {
  await using lab = await Lab.open();
  const box = await lab.machine("box");
  await box.quickAckLoopback();
  await startPcscd(box);
  const card = await startSoftcard(box, { state: `${lab.dir}/card`, removed: true });
  await using watch = await Watch.start(box);
  await card.insert();
  const { at: inAt } = await watch.next("card-in", 0);
  const engine = await box.spawn(["cat", "-", "engine"], { stdin: "piped" });
  await watch.next("engines", inAt);
  // Nothing of it is left when the onlooker hears of the removal: the service asks twice a second.
  const removing = card.remove();
  engine.signal("SIGKILL");
  await engine.status;
  await removing;
  const out = await watch.next("card-out", inAt);
  const gone = await watch.next("engines-gone", out.at);
  assert.equal(gone.engines, 1);
});
