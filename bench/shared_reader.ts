/**
 * A terminal's program and the gateway's card: the round trip of one command through the network
 * reader against the same card in a local reader (both through pcscd and vpcd on this machine), and
 * how long a card that was put in takes until its PIN is asked for.
 * `deno run -A bench/shared_reader.ts [--pairs N]`; needs root.
 */
import { fileURLToPath } from "node:url";
import type { Machine } from "../tests/lab/machine.ts";
import { sleep } from "../tests/lab/machine.ts";
import { startPcscd, startSoftcard } from "../tests/lab/pcscd.ts";
import { openSharedWorld } from "../tests/share/shared_world.ts";
import { TerminalPc } from "../tests/share/terminal_pc.ts";
import { portalState, unlock, untilPhase } from "../tests/story/visits.ts";
import { readPairs, round } from "./lib/compare.ts";
import { median, spread } from "./lib/statistics.ts";

const PROGRAM = fileURLToPath(import.meta.resolve("./lib/clients/card_round_trips.ts"));
const READER = "Virtual PCD 00 00";
const COMMANDS = 200;

const pairs = readPairs(5);
await using world = await openSharedWorld("sealed", `terminals = ["*"]\nhard_limit = 110`);
const { boxes: [box], cards: { office: card, direct }, network: { lab } } = world;
const [terminal] = box.site.terminals;
if (terminal === undefined) throw new Error("Cannot measure: the site has no terminal");

const prompts: number[] = [];
for (let n = 0; n < pairs; n++) {
  const began = performance.now();
  await box.insert(card);
  const inserted = performance.now();
  while ((await portalState(terminal, box)).phase !== "pin-asked") await sleep(2);
  prompts.push(performance.now() - inserted);
  console.error(
    `insertion ${n + 1}: seen after ${round(inserted - began)} ms, prompt after ${
      round(prompts.at(-1) ?? NaN)
    } ms`,
  );
  await box.remove();
  await untilPhase(terminal, box, ["no-card"]);
}

const local = await lab.machine("local");
await local.quickAckLoopback();
await startPcscd(local);
await startSoftcard(local, { state: direct.state });
await using pc = await TerminalPc.start(terminal.machine, { box, folder: lab.dir });
await unlock(terminal, box, card);
await pc.untilCard(true);
const samples: { shared: number; local: number }[] = [];
for (let n = 0; n < pairs; n++) {
  const sample = {
    shared: median(await roundTrips(terminal.machine)),
    local: median(await roundTrips(local)),
  };
  samples.push(sample);
  console.error(`pair ${n + 1}: shared ${round(sample.shared)}, local ${round(sample.local)} ms`);
  await sleep(6_000); // pcscd powers the card down, and the lease ends
}
const ratios = samples.map(({ shared, local }) => shared / local);
console.log(JSON.stringify({
  ...{ name: "command to the card: shared reader against local", unit: "ms" },
  ours: round(median(samples.map(({ shared }) => shared))),
  peer: round(median(samples.map(({ local }) => local))),
  ratio: round(median(ratios)),
  peerVersion: "the same card in a local reader",
  pairs,
  spread: { ratio: spread(ratios).map(round) },
  more: {
    commands: COMMANDS,
    insertionToPrompt: round(median(prompts)),
    insertionToPromptWorst: round(Math.max(...prompts)),
  },
}));

async function roundTrips(machine: Machine): Promise<number[]> {
  const { code, stdout, stderr } = await machine.run([
    ...[Deno.execPath(), "run", "-A", "--cached-only", "--no-prompt", "--no-check", PROGRAM],
    ...[READER, String(COMMANDS)],
  ]);
  if (code !== 0) throw new Error(`Cannot measure in ${machine.name}: ${stderr}`);
  return JSON.parse(stdout);
}
