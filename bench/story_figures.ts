/**
 * The story's figures, one JSON line for each claim; the last is the throughput from a terminal to
 * the office, beside wireguard-go in the engine's place on the same path.
 * `deno run -A bench/story_figures.ts [--runs N] [--seconds N]`; needs root.
 */
import { openWorld } from "../tests/story/open_world.ts";
import { startBareWireguardGo } from "../tests/story/peer_engine.ts";
import { OFFICE } from "../tests/story/plan.ts";
import { measureMemory } from "../tests/story/steps/memory.ts";
import { pullCard } from "../tests/story/steps/removal.ts";
import { unlockByPin } from "../tests/story/steps/unlocking.ts";
import type { Figure, Teller } from "../tests/story/teller.ts";
import { startIperf, throughput } from "../tests/story/throughput.ts";
import { readNumber, readOptions } from "./lib/options.ts";
import { unlock } from "../tests/story/visits.ts";
import type { World } from "../tests/story/world.ts";

const values = readOptions({
  runs: { type: "string", default: "5" },
  seconds: { type: "string", default: "5" },
});
const runs = readNumber("runs", values.runs);
const seconds = readNumber("seconds", values.seconds);

const figures = new Map<string, Figure[]>();
const teller: Teller = {
  step: (title) => console.error(title),
  note: () => {},
  figure: (figure) => figures.set(figure.name, [...figures.get(figure.name) ?? [], figure]),
};

await using world = await openWorld({ hub: "stock", identity: "sealed" }, teller);
measureMemory(world, "idle");
for (let run = 0; run < runs; run++) {
  await unlockByPin(world);
  if (run === 0) measureMemory(world, "session");
  await pullCard(world);
}
for (const [name, all] of figures) {
  const sorted = all.map((figure) => figure.value).toSorted((a, b) => a - b);
  const [first] = all;
  const ours = sorted[Math.floor(sorted.length / 2)] ?? NaN;
  const peer = first?.goal ?? null;
  const line = {
    ...{ name, ours: round(ours), peer, ratio: peer ? round(ours / peer) : null },
    ...{ unit: first?.unit, peerVersion: peer === null ? null : "the goal" },
    ...{ runs: sorted.length, least: round(sorted[0] ?? NaN), most: round(sorted.at(-1) ?? NaN) },
  };
  console.log(JSON.stringify(line));
}
await compareThroughput(world);

async function compareThroughput(world: World): Promise<void> {
  const { boxes: [box], cards: { office }, hub, network } = world;
  const [terminal] = box.site.terminals;
  if (terminal === undefined) throw new Error("the first site has terminals");
  const iperf = await startIperf(network.office);
  const both = async () => ({
    up: await throughput(terminal.machine, {
      ...{ address: OFFICE.web.address, direction: "up", seconds },
    }),
    down: await throughput(terminal.machine, {
      ...{ address: OFFICE.web.address, direction: "down", seconds },
    }),
  });
  await unlock(terminal, box, office);
  const ours = await both();
  await box.takeAway();
  await box.stopGateway();
  const peer = await (async () => {
    await using _peer = await startBareWireguardGo(box, {
      ...{ card: office, hub, dir: network.lab.dir },
    });
    return await both();
  })();
  await iperf.stop();
  const version = (await network.hub.sh("wireguard-go --version")).split("\n")[0] ?? "";
  for (const direction of ["up", "down"] as const) {
    console.log(JSON.stringify({
      name: `terminal-to-office-${direction}`,
      ours: Math.round(ours[direction]),
      peer: Math.round(peer[direction]),
      ratio: round(ours[direction] / peer[direction]),
      unit: "Mbit/s",
      peerVersion: version,
    }));
  }
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
