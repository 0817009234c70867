import assert from "node:assert/strict";
import { INTERNET } from "../plan.ts";
import { UplinkWatch } from "../uplink.ts";
import { OFFICE_NAME_URL, OFFICE_URL6, openOffice, unlock, untilPhase } from "../visits.ts";
import type { World } from "../world.ts";

const WEB_URL = `http://${INTERNET.web.address}/`;

/** Two terminals at once in the office; elsewhere nobody gets, unless the policy says direct. */
export async function fetchPages(world: World): Promise<void> {
  const { boxes: [box], cards, network, teller } = world;
  const [terminal, other] = box.site.terminals;
  assert.ok(terminal && other);

  teller.step("Two terminals fetch the office page at once");
  const urls = [undefined, OFFICE_URL6, OFFICE_NAME_URL];
  const times = await Promise.all(
    urls.flatMap((url) => [openOffice(terminal, url), openOffice(other, url)]),
  );
  teller.figure({
    name: "office-page",
    label: "office page, slowest of six at once (IPv4, IPv6, by name)",
    value: Math.max(...times),
    unit: "ms",
  });

  teller.step("A destination outside the profile: dropped, or direct where the policy says so");
  {
    await using uplink = await UplinkWatch.start(network, box.site);
    const began = Date.now();
    const failed = await terminal.fails("open", { url: WEB_URL, timeoutMs: 2000 });
    assert.notEqual(failed, undefined, "the profile drops this, and yet it answered");
    await uplink.assertNoLeak(began);
  }
  await box.takeAway();
  await untilPhase(terminal, box, ["no-card"]);
  await unlock(terminal, box, cards.direct);
  const direct = await terminal.do("open", { url: WEB_URL });
  const seenAs = box.site.plan.line.box.address;
  assert.equal(direct.text, `This is the Internet. You are ${seenAs}.\n`);
  const named = await terminal.do("open", { url: `http://${INTERNET.web.name}/` });
  assert.match(named.text, /^This is the Internet\./);
  await openOffice(other);
  await box.takeAway();
  await untilPhase(terminal, box, ["no-card"]);
  await unlock(terminal, box, cards.office);
  await openOffice(terminal);
}
