/** What others may do to a gateway with a session up: nothing of it may end or change the session. */
import assert from "node:assert/strict";
import { settledSize, untilLarger } from "../lab/growth.ts";
import { sleep } from "../lab/machine.ts";
import { labTest } from "../lab/needs.ts";
import type { Box } from "../story/box.ts";
import { openWorld, TINY_STATE } from "../story/open_world.ts";
import { Administrator } from "../story/panel.ts";
import { serveWeb } from "../story/network.ts";
import { HUB, OFFICE, type SitePlan } from "../story/plan.ts";
import { until as eventually } from "../interop/wireguard.ts";
import { PlainTeller } from "../story/teller.ts";
import type { Terminal } from "../story/terminal.ts";
import { enterPin, openOffice, portalState, unlock, untilPhase } from "../story/visits.ts";
import type { World } from "../story/world.ts";

/** What the hub and the direct card's profile let the office begin. */
const INBOUND = ["tcp/8080-8081@10.20.0.0/24", "icmp@10.20.0.0/24"];

labTest("a session in bad surroundings", async (t) => {
  const variant = { hub: "ours", identity: "sealed" } as const;
  await using world = await openWorld(variant, new PlainTeller(), {
    tinyState: true,
    inbound: INBOUND,
    tables: letIn,
  });
  const { boxes: [box], cards } = world;
  const [terminal] = box.site.terminals;
  assert.ok(terminal);
  await t.step("what the office begins towards a terminal", () => {
    return beginFromOffice({ world, box, terminal });
  });
  await unlock(terminal, box, cards.office);
  await t.step("what a profile doesn't name is not begun", () => {
    return beginInVain({ world, box, terminal });
  });
  const administrator = await Administrator.signIn(terminal, box, world.adminPassword);
  const at: Place = { world, box, terminal, administrator };
  await t.step("garbage on both ends of the tunnel", () => udpGarbage(at));
  await t.step("requests that no page of the portal makes", () => webGarbage(at));
  await t.step("a full disk", () => fullDisk(at));
});

interface Place {
  readonly world: World;
  readonly box: Box;
  readonly terminal: Terminal;
  readonly administrator: Administrator;
}

/** The gateway's part: two ports that lead to a terminal, of which the hub names one. */
function letIn({ lan }: SitePlan): string {
  return `
[inbound]
ping = true
[[inbound.forward]]
port = 8080
to = "${served(lan)}:80"
[[inbound.forward]]
port = 8082
to = "${served(lan)}:80"
`;
}

/** A second address of the terminal that serves a page; no lease of DHCP's. */
function served(lan: SitePlan["lan"]): string {
  return lan.address.replace(/\.\d+\/\d+$/, ".50");
}

async function beginFromOffice({ world, box, terminal }: Omit<Place, "administrator">) {
  const { network: { hub, lab }, cards: { direct }, adminPassword } = world;
  await serveWeb(terminal.machine, "a terminal");
  await terminal.machine.sh(`ip addr add ${served(box.site.plan.lan)}/24 dev eth0`);
  await unlock(terminal, box, direct);
  await openOffice(terminal);
  const own = direct.addresses[0]?.replace("/32", "") ?? "";
  const page = `This is a terminal. You are ${OFFICE.web.address}.\n`;
  assert.equal((await fetchFromOffice(world, `${own}:8080/`)).stdout, page);
  assert.equal((await world.network.office.run(["ping", "-c", "1", "-W", "20", own])).code, 0);
  const administrator = await Administrator.signIn(terminal, box, adminPassword);
  // A hub without any session and a word from the gateway speaks first, to where its file says.
  const endpoint = await world.hub.endpointOf(direct.publicKey);
  const where = `public_key = "${direct.publicKey}"`;
  await world.hub.restart?.((text) => text.replace(where, `${where}\nendpoint = "${endpoint}"`));
  assert.equal((await fetchFromOffice(world, `${own}:8080/`)).stdout, page);
  const { tunnel } = await administrator.status();
  assert.deepEqual(tunnel?.inbound, [
    { rule: INBOUND[0], to: [`${served(box.site.plan.lan)}:80`] },
    { rule: INBOUND[1], to: [own] },
  ]);
  // 8081 leads nowhere at the gateway; 8082 leads somewhere, and neither hub nor profile names it.
  const elsewhere = [8081, 8082].map((port) => knockFromOffice(world, `${own}:${port}/`));
  assert.deepEqual((await Promise.all(elsewhere)).map(({ code }) => code), [28, 28]);
  // The hub's address may speak to the tunnel's port unasked: so it reaches the engine, which drops it.
  const [address, port] = endpoint?.split(":") ?? [];
  await hub.sh(`bash -c 'for i in 1 2 3; do printf x > /dev/udp/${address}/${port}; done'`);
  await eventually("the engine to have seen it", async () => {
    return ((await administrator.status()).drops["tunnel-malformed"] ?? 0) >= 3;
  });

  const file = `${lab.dir}/from-terminal`;
  const big = `http://${own}:8080/big?seed=1&size=1000000000&rate=2000000`;
  const download = await world.network.office.spawn(["curl", "-sS", "-N", "-o", file, big]);
  await untilLarger(file, 100_000);
  await box.remove();
  await untilPhase(terminal, box, ["no-card"]);
  await settledSize(file);
  assert.equal((await knockFromOffice(world, `${own}:8080/`)).code, 28, "with the card out");
  await download.stop();
  await box.takeAway();
}

/** The hub lets it through, and the gateway leads it somewhere; this card's issuer names nothing. */
async function beginInVain({ world, box, terminal }: Omit<Place, "administrator">) {
  const own = world.cards.office.addresses[0]?.replace("/32", "") ?? "";
  const administrator = await Administrator.signIn(terminal, box, world.adminPassword);
  const { inbound: before = 0 } = (await administrator.status()).drops;
  assert.equal((await knockFromOffice(world, `${own}:8080/`)).code, 28);
  assert.notEqual((await world.network.office.run(["ping", "-c", "1", "-W", "1", own])).code, 0);
  await eventually("the gateway's count", async () => {
    return ((await administrator.status()).drops["inbound"] ?? 0) >= before + 2;
  });
}

/** For what is answered, also by a machine with other things to do. */
function fetchFromOffice({ network }: World, to: string, seconds = 20) {
  return network.office.run(["curl", "-sS", "--max-time", `${seconds}`, `http://${to}`]);
}

/** For what nobody answers. */
function knockFromOffice(world: World, to: string) {
  return fetchFromOffice(world, to, 1.5);
}

/** Truncated, oversized, random, and each message type with nonsense in it. */
async function udpGarbage({ world, box, terminal, administrator }: Place): Promise<void> {
  const { hub, network, cards } = world;
  const { inbound = 0 } = (await administrator.status()).drops;
  const malformed = await hub.malformed() ?? 0;
  const engineBefore = box.engines();
  const endpoint = await hub.endpointOf(cards.office.publicKey);
  assert.ok(endpoint);
  const gateway = endpoint.slice(0, endpoint.lastIndexOf(":"));
  const port = Number(endpoint.slice(endpoint.lastIndexOf(":") + 1));
  const program = new URL("./udp_garbage_program.ts", import.meta.url).pathname;
  for (const [address, at] of [[gateway, port], [HUB.line.box.address, HUB.port]] as const) {
    const { code, stderr } = await network.internet.run(
      [Deno.execPath(), "run", "-A", "--cached-only", "--no-prompt", program, address, String(at)],
    );
    assert.equal(code, 0, stderr);
  }
  await openOffice(terminal);
  assert.equal(await hub.endpointOf(cards.office.publicKey), endpoint, "the hub was led astray");
  assert.deepEqual(box.engines(), engineBefore);
  // The box takes nothing from strangers: its switch drops and counts it before the engine sees it.
  let dropped = inbound;
  for (let i = 0; i < 50 && dropped - inbound <= 200; i++) {
    await sleep(100); // counters are read once a second
    dropped = (await administrator.status()).drops["inbound"] ?? 0;
  }
  assert.ok(dropped - inbound > 200, `${dropped} after ${inbound} dropped by the box`);
  const refused = await hub.malformed() ?? 0;
  assert.ok(refused - malformed > 100, `${refused} after ${malformed} malformed at the hub`);
}

async function webGarbage({ box, terminal }: Place): Promise<void> {
  const url = `${box.portal}/api/pin`;
  const json = { "content-type": "application/json", origin: box.portal };
  const sealed = { engine: "x", enc: "AA", ciphertext: "AA" };
  const attempts: [number[], { headers: Record<string, string>; body: string }][] = [
    [[400, 422], { headers: json, body: "{" }],
    [[400, 422], { headers: json, body: JSON.stringify({ pin: "123456" }) }],
    [[400, 422], { headers: json, body: JSON.stringify([sealed]) }],
    [[413], { headers: json, body: JSON.stringify({ ...sealed, enc: "A".repeat(1 << 20) }) }],
    [[403], {
      headers: { ...json, origin: "https://evil.example" },
      body: JSON.stringify(sealed),
    }],
    [[403], { headers: { "content-type": "application/json" }, body: JSON.stringify(sealed) }],
  ];
  const { pinTries } = await box.softcard.status();
  for (const [expected, { headers, body }] of attempts) {
    const { status, text } = await terminal.do("open", {
      ...{ url, ca: box.authority, method: "POST", headers, body },
    });
    assert.ok(expected.includes(status), `${status} ${text} to ${body.slice(0, 60)}`);
  }
  assert.equal((await portalState(terminal, box)).phase, "up");
  assert.equal((await box.softcard.status()).pinTries, pinTries);
  await openOffice(terminal);
}

/** The journal says so, the tunnel stays up, and a new session comes up as well. */
async function fullDisk({ world, box, terminal, administrator }: Place): Promise<void> {
  const { office } = world.cards;
  await box.machine.run(["dd", "if=/dev/zero", `of=${TINY_STATE}/full`, "bs=4k"]);
  assert.match(await box.machine.sh(`df ${TINY_STATE}`), /100%/);
  await openOffice(terminal);
  await box.remove();
  await untilPhase(terminal, box, ["no-card"]);
  await box.insert(office);
  await untilPhase(terminal, box, ["pin-asked"]);
  // Events enough to use up the last free pages that the store had.
  let warnings: readonly string[] = [];
  for (let i = 0; i < 100 && warnings.length === 0; i++) {
    await Administrator.signIn(terminal, box, world.adminPassword);
    ({ warnings } = await administrator.status());
  }
  assert.match(warnings.join("\n"), /journal can't be written/);
  assert.equal((await enterPin(terminal, box, office.pin)).outcome, "up");
  await openOffice(terminal);

  await box.machine.sh(`rm ${TINY_STATE}/full`);
  await box.remove();
  await untilPhase(terminal, box, ["no-card"]);
  assert.deepEqual((await administrator.status()).warnings, []);
  const events = (await administrator.journal()).map(({ event }) => event);
  assert.ok(events.includes("journal-recovered"), events.join(" "));
}
