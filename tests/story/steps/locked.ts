import assert from "node:assert/strict";
import { INTERNET, OFFICE } from "../plan.ts";
import type { Terminal } from "../terminal.ts";
import { UplinkWatch } from "../uplink.ts";
import { OFFICE_NAME_URL, OFFICE_URL, OFFICE_URL6, portalState } from "../visits.ts";
import type { World } from "../world.ts";

/** No card: a request for the office gets the portal, and nothing of it leaves the box. */
export async function stayLocked(world: World): Promise<void> {
  const { network, boxes: [box], teller } = world;
  teller.step("No card: terminals get the portal, and nothing leaves");
  await using uplink = await UplinkWatch.start(network, box.site);
  const began = Date.now();
  for (const terminal of box.site.terminals) {
    assert.equal((await portalState(terminal, box)).phase, "no-card");
    await expectPortal(terminal, box.portal);
  }
  await Promise.all(box.site.terminals.map(tryEverything));
  const { neighbour } = await uplink.assertNoLeak(began);
  teller.figure({
    name: "leaked-while-locked",
    label: "packets of terminals on the uplink without a card (IPv4, IPv6, DNS)",
    value: 0,
    unit: "packets",
    goal: 0,
  });
  teller.note(`beside them ${neighbour.length} of the box's own link (ARP, neighbour discovery)`);
}

/** Plain HTTP to the office leads to the portal. */
async function expectPortal(terminal: Terminal, portal: string): Promise<void> {
  const { status, headers } = await terminal.do("open", { url: OFFICE_URL });
  assert.ok([302, 303, 307].includes(status), `status ${status}`);
  const home = headers["location"] ?? "";
  const page = await terminal.do("open", { url: home });
  assert.equal(page.status, 200);
  assert.ok(`${home} ${page.text}`.includes(portal), `no way to ${portal} from ${home}`);
}

/** Everything that a program may try, IPv4, IPv6 and DNS; whatever comes of it must stay inside. */
export async function tryEverything(terminal: Terminal): Promise<void> {
  const timeoutMs = 1500;
  const { web, dns } = INTERNET;
  const urls = [
    ...[OFFICE_URL, OFFICE_URL6, OFFICE_NAME_URL, OFFICE_URL.replace("http", "https")],
    ...[`http://${web.address}/`, `http://[${web.address6}]/`, `https://${web.address}/`],
    ...[`http://${web.name}/`, `http://${web.address}:8080/`],
  ];
  await Promise.all([
    ...urls.map((url) => terminal.fails("open", { url, timeoutMs })),
    ...[OFFICE.web.address, OFFICE.web.address6, web.address, web.address6].flatMap((address) => [
      terminal.fails("echo", { address, port: 7, everyMs: 50, timeoutMs }),
      terminal.machine.run(["ping", "-c", "2", "-i", "0.2", "-W", "1", address]),
    ]),
    ...[dns.address, dns.address6, OFFICE.dns.address, undefined].flatMap((server) =>
      ([OFFICE.web.name, web.name] as const).flatMap((name) =>
        (["A", "AAAA"] as const).map((type) =>
          terminal.fails("resolve", { name, type, ...(server === undefined ? {} : { server }) })
        )
      )
    ),
  ]);
}
