/** Measures ours and the peer in turn, and says how they compare. */
import { Lab } from "../../tests/lab/lab.ts";
import { readNumber, readOptions } from "./options.ts";
import { takePeer } from "./peer.ts";
import { untilQuiet } from "./quiet.ts";
import { median, spread } from "./statistics.ts";
import { type EndOptions, type Make, openWire, type Wire } from "./wire.ts";

/** How long each run waits for other work on the machine to end. */
const PATIENCE_MS = 4000;

export interface Settings {
  readonly pairs: number;
  readonly seconds: number;
}

export interface Claim {
  readonly name: string;
  readonly unit: string;
  /** What the ratio of ours to the peer's should be. */
  readonly goal: { readonly atLeast: number } | { readonly atMost: number };
}

/** One run's value, and what else was seen in it; of that the median is printed too. */
export interface Sample {
  readonly value: number;
  readonly more?: Readonly<Record<string, number>>;
}

/** `--pairs N --seconds N` of the command line. */
export function readSettings(defaults: Settings): Settings {
  const { pairs, seconds } = readOptions({
    pairs: { type: "string", default: `${defaults.pairs}` },
    seconds: { type: "string", default: `${defaults.seconds}` },
  });
  return { pairs: readNumber("pairs", pairs), seconds: readNumber("seconds", seconds) };
}

/** `--pairs N` of the command line, where a run has no length of its own. */
export function readPairs(usual: number): number {
  const { pairs } = readOptions({ pairs: { type: "string", default: `${usual}` } });
  return readNumber("pairs", pairs);
}

/** Opens a wire of each make, and compares what `measure` finds on them, checking after each pair. */
export async function compareWires(
  claims: readonly Claim[],
  settings: Settings,
  measure: (wire: Wire, claim: Claim) => Promise<Sample>,
  options: EndOptions = {},
): Promise<void> {
  const peerVersion = await takePeer();
  await using lab = await Lab.open();
  const wires = {
    ours: await openWire(lab, "ours", options),
    peer: await openWire(lab, "peer"),
  };
  for (const claim of claims) {
    await compare(claim, { pairs: settings.pairs, peerVersion }, {
      measure: (make) => measure(wires[make], claim),
      check: (make) => wires[make].check(),
    });
  }
}

/** Runs `measure` for both makes, `pairs` times in changing order; prints the line of the claim. */
export async function compare(
  claim: Claim,
  { pairs, peerVersion }: { pairs: number; peerVersion: string },
  run: {
    measure: (make: Make) => Promise<Sample>;
    check?: (make: Make) => Promise<void>;
  },
): Promise<void> {
  const samples: Record<Make, Sample[]> = { ours: [], peer: [] };
  const others: number[] = [];
  for (let pair = 0; pair < pairs; pair++) {
    const order: Make[] = pair % 2 === 0 ? ["ours", "peer"] : ["peer", "ours"];
    for (const make of order) {
      others.push(await untilQuiet(PATIENCE_MS));
      samples[make].push(await run.measure(make));
      await run.check?.(make);
    }
    const [ours, peer] = [samples.ours.at(-1)?.value ?? NaN, samples.peer.at(-1)?.value ?? NaN];
    console.error(
      `${claim.name}, pair ${pair + 1}: ours ${round(ours)}, peer ${round(peer)} ${claim.unit}`,
    );
  }
  report(claim, { samples, peerVersion, others });
}

/** Prints the line of a claim: medians, the median of the pairs' ratios, spreads, and what others took of the machine. */
function report(
  claim: Claim,
  { samples, peerVersion, others }: {
    samples: Readonly<Record<Make, readonly Sample[]>>;
    peerVersion: string;
    others: readonly number[];
  },
): void {
  const values = (make: Make) => samples[make].map(({ value }) => value);
  const ratios = values("ours").map((value, i) => value / (values("peer")[i] ?? NaN));
  const ratio = median(ratios);
  const met = "atLeast" in claim.goal ? ratio >= claim.goal.atLeast : ratio <= claim.goal.atMost;
  const oursMore = moreOf(samples.ours);
  const peerMore = moreOf(samples.peer);
  console.log(JSON.stringify({
    name: claim.name,
    ours: round(median(values("ours"))),
    peer: round(median(values("peer"))),
    ratio: round(ratio),
    unit: claim.unit,
    peerVersion,
    goal: claim.goal,
    met,
    pairs: ratios.length,
    othersLoad: round(median(others)),
    spread: {
      ours: spread(values("ours")).map(round),
      peer: spread(values("peer")).map(round),
      ratio: spread(ratios).map(round),
    },
    ...(Object.keys(oursMore).length === 0 ? {} : { more: { ours: oursMore, peer: peerMore } }),
  }));
}

/** Four significant digits. */
export function round(value: number): number {
  return Number(value.toPrecision(4));
}

function moreOf(samples: readonly Sample[]): Record<string, number> {
  const names = Object.keys(samples[0]?.more ?? {});
  return Object.fromEntries(names.map((name) => {
    return [name, round(median(samples.map(({ more }) => more?.[name] ?? NaN)))];
  }));
}
