import assert from "node:assert/strict";
import { searchMemory } from "../../lab/memory_search.ts";
import type { Box } from "../box.ts";
import { type Secret, secretsOf, sessionKeysOf } from "../secrets.ts";
import { UplinkWatch } from "../uplink.ts";
import { OFFICE_URL, openOffice, portalState } from "../visits.ts";
import type { World } from "../world.ts";
import { tryEverything } from "./locked.ts";

/** Card out while traffic flows: silence on the wire, no engine, no key in any memory. */
export async function pullCard(world: World): Promise<void> {
  const { network, boxes: [box], cards: { office }, teller } = world;
  const [terminal, other] = box.site.terminals;
  assert.ok(terminal && other);

  teller.step("While the card is in: every key is in the engine, and nowhere else");
  await openOffice(terminal);
  const [engine, ...more] = box.engines();
  assert.ok(engine !== undefined && more.length === 0, "one engine runs");
  const known = secretsOf(office);
  const secrets = [...known, ...sessionKeysOf(engine, known)];
  assert.ok(secrets.some(({ kind }) => kind === "session keys"), "no session key to look for");
  proveSearch(box, engine, secrets);
  teller.note(`${secrets.length} secrets looked for: ${kinds(secrets)}`);

  teller.step("Card out while traffic flows");
  await using uplink = await UplinkWatch.start(network, box.site);
  const began = Date.now();
  const streaming = [
    terminal.fails("download", { url: `${OFFICE_URL}big?seed=1&size=4000000000`, timeoutMs: 9000 }),
    other.machine.run(["ping", "-q", "-i", "0.005", "-w", "8", new URL(OFFICE_URL).hostname]),
  ];
  await uplink.untilSent(100, began);
  const pulledAt = Date.now();
  await box.remove();
  const out = await box.watch.next("card-out", pulledAt);
  const gone = await box.watch.next("engines-gone", out.at);
  assert.equal(gone.engines, 1);
  await tryEverything(other);
  await Promise.all(streaming);
  // The service may see the removal at once, or half a second later: traffic flowed before either.
  const count = await uplink.assertNoLeak(pulledAt - 500);
  const last = count.tunnel.at(-1)?.at ?? pulledAt;
  assert.ok(count.tunnel.length > 10, "traffic was to flow until the card was pulled");
  teller.figure({
    name: "removal-to-last-packet",
    label: "removal event to the last packet on the uplink",
    value: Math.max(0, last - out.at),
    unit: "ms",
    goal: 50,
  });
  teller.figure({
    name: "removal-to-engine-gone",
    label: "removal event to the engine's end",
    value: Math.max(0, gone.at - out.at),
    unit: "ms",
    goal: 100,
  });
  teller.figure({
    name: "leaked-after-removal",
    label: "packets outside the tunnel after the removal",
    value: count.leaked.length,
    unit: "packets",
    goal: 0,
  });
  assert.deepEqual(box.engines(), []);

  teller.step("No key and no PIN is left in the memory of any process of the gateway");
  const { hits, searched, processes } = searchMemory(box.pids(), secrets);
  assert.deepEqual(hits.map(describe), [], "secrets in memory after the card went");
  teller.figure({
    name: "key-hits",
    label: `keys found in ${processes} processes (${Math.round(searched / 1e6)} MB searched)`,
    value: hits.length,
    unit: "hits",
    goal: 0,
  });
  assert.equal((await portalState(terminal, box)).phase, "no-card");
}

/** The search finds each secret where it must be, and in no other process. */
function proveSearch(box: Box, engine: number, secrets: readonly Secret[]): void {
  const { hits } = searchMemory(box.pids(), secrets);
  const elsewhere = hits.filter((hit) => hit.pid !== engine);
  assert.deepEqual(elsewhere.map(describe), [], "secrets outside the engine");
  for (const secret of secrets.filter((each) => each.heldByEngine)) {
    assert.ok(
      hits.some((hit) => hit.needle === secret.name),
      `${secret.name} is not in the engine`,
    );
  }
}

function describe(hit: ReturnType<typeof searchMemory>["hits"][number]): string {
  const { needle, process, pid, address, mapping } = hit;
  const place = mapping.name || "anonymous memory";
  return `${needle} in ${process} (${pid}) at ${address.toString(16)}, ${place}`;
}

function kinds(secrets: readonly Secret[]): string {
  return [...new Set(secrets.map((secret) => secret.kind))].join(", ");
}
