import assert from "node:assert/strict";
import { sleep } from "../../lab/machine.ts";
import { bigFileHash } from "../big_file.ts";
import type { Box } from "../box.ts";
import { HUB } from "../plan.ts";
import { OFFICE_URL } from "../visits.ts";
import type { World } from "../world.ts";

const BIG = { seed: 200, size: 200_000_000 };
/** Paced, so that it is still under way when the address changes, however fast the tunnel is. */
const PACED = { seed: 40, size: 40_000_000, rate: 10_000_000 };

/** Of the paced file, when the address changes. */
const MIDDLE = 8_000_000;

/** 200 MB whole; another file whole although the box's Internet address changes in the middle. */
export async function download(world: World): Promise<void> {
  const { boxes: [box], hub, cards, teller } = world;
  const [terminal] = box.site.terminals;
  assert.ok(terminal);

  teller.step("200 MB from the office, SHA-256 equal");
  const url = `${OFFICE_URL}big?seed=${BIG.seed}&size=${BIG.size}`;
  const whole = await terminal.do("download", { url, timeoutMs: 300_000 });
  assert.equal(whole.bytes, BIG.size);
  assert.equal(whole.sha256, bigFileHash(BIG));
  teller.figure({
    name: "download",
    label: "download of 200 MB through the tunnel",
    value: BIG.size / 1e6 / (whole.ms / 1000),
    unit: "MB/s",
  });

  teller.step("The Internet address changes in the middle of a download");
  const before = await hub.endpointOf(cards.office.publicKey);
  const beforehand = await receivedBytes(box);
  let ended = false;
  const paced = terminal.do("download", {
    url: `${OFFICE_URL}big?seed=${PACED.seed}&size=${PACED.size}&rate=${PACED.rate}`,
    timeoutMs: 120_000,
  }).finally(() => ended = true);
  while (!ended && await receivedBytes(box) < beforehand + MIDDLE) await sleep(20);
  const { renumbered, line } = box.site.plan;
  await box.site.renumber(renumbered);
  assert.ok(!ended, "the download ended before the address changed");
  const moved = await paced;
  assert.equal(moved.bytes, PACED.size);
  assert.equal(moved.sha256, bigFileHash(PACED));
  const after = await hub.endpointOf(cards.office.publicKey);
  assert.ok(after?.startsWith(`${renumbered.box.address}:`), `the hub still sees ${after}`);
  assert.ok(before?.startsWith(`${line.box.address}:`), `the hub saw ${before}`);
  teller.figure({
    name: "roaming-delay",
    label: "what the change of address cost the download",
    value: Math.max(0, moved.ms - PACED.size / PACED.rate * 1000),
    unit: "ms",
  });
  teller.note(`the hub at ${HUB.line.box.address} follows from ${before} to ${after}`);
  await box.site.renumber(line);
}

/** What has come out of the box's tunnel. */
async function receivedBytes({ machine }: Box): Promise<number> {
  const text = await machine.sh("ip -s -json link show dev sekisho0");
  const [link] = JSON.parse(text) as { stats64: { rx: { bytes: number } } }[];
  return link?.stats64.rx.bytes ?? 0;
}
