/** Runs in browsers. */
import uPlot from "uplot";
import type { Language } from "../i18n/messages.ts";
import { formatRate } from "../shared/format.ts";
import { KEPT_SAMPLES, type ThroughputSample } from "./throughput.ts";

const HEIGHT = 170;

/** The tunnel's throughput over the last five minutes; follows its element as the page changes. */
export class ThroughputChart {
  readonly #language: Language;
  #element: HTMLElement | undefined;
  #plot: uPlot | undefined;
  #samples: readonly ThroughputSample[] = [];
  readonly #sizes = new ResizeObserver(() => this.#fit());

  constructor(language: Language) {
    this.#language = language;
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#renew());
  }

  /** Draws into `element`, or nothing when there is none now. */
  draw(element: HTMLElement | null, samples: readonly ThroughputSample[]): void {
    this.#samples = samples;
    if (element !== (this.#element ?? null)) {
      this.#element = element ?? undefined;
      this.#renew();
      return;
    }
    this.#plot?.setData(columns(samples));
  }

  #renew(): void {
    this.#plot?.destroy();
    this.#plot = undefined;
    this.#sizes.disconnect();
    if (this.#element === undefined) return;
    const data = columns(this.#samples);
    this.#plot = new uPlot(this.#options(this.#element), data, this.#element);
    this.#sizes.observe(this.#element);
  }

  #fit(): void {
    if (this.#element === undefined || this.#plot === undefined) return;
    const width = this.#element.clientWidth;
    if (width > 0 && width !== this.#plot.width) this.#plot.setSize({ width, height: HEIGHT });
  }

  #options(element: HTMLElement): uPlot.Options {
    const style = getComputedStyle(element);
    const colour = (name: string) => style.getPropertyValue(name).trim();
    const axis: uPlot.Axis = {
      stroke: colour("--soft"),
      font: `12px ${style.fontFamily}`,
      grid: { stroke: colour("--line"), width: 1 },
      ticks: { show: false },
    };
    const time = new Intl.DateTimeFormat(this.#language, {
      hour: "2-digit",
      minute: "2-digit",
      hour12: false,
    });
    const series = (name: "--received" | "--sent"): uPlot.Series => ({
      stroke: colour(name),
      fill: `${colour(name)}22`,
      width: 2,
      points: { show: false },
    });
    return {
      width: element.clientWidth,
      height: HEIGHT,
      padding: [10, 4, 0, 0],
      legend: { show: false },
      cursor: { show: false },
      scales: {
        x: { range: (_plot, _min, max) => [max - KEPT_SAMPLES, max] },
        y: { range: (_plot, _min, max) => [0, Math.max(max * 1.1, 12_500)] },
      },
      axes: [
        {
          ...axis,
          size: 30,
          space: 70,
          incrs: [60],
          values: (_plot, splits) => splits.map((at) => time.format(at * 1000)),
        },
        {
          ...axis,
          size: 78,
          splits: (_plot, _axis, _min, max) =>
            [0, 1, 2, 3, 4, 5, 6, 7].map((n) => roundStep(max) * n)
              .filter((at) => at <= max),
          values: (_plot, splits) => splits.map((at) => formatRate(at)),
        },
      ],
      series: [{}, series("--received"), series("--sent")],
    };
  }
}

/** A step of 1, 2 or 5 times a power of ten in bits a second, so that three to seven fit below `max`. */
function roundStep(max: number): number {
  const rough = max * 8 / 3;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [5, 2, 1].find((factor) => factor * power <= rough) ?? 1;
  return step * power / 8;
}

/** uPlot's way: seconds, then one column for each series. */
function columns(samples: readonly ThroughputSample[]): uPlot.AlignedData {
  return [
    samples.map(({ at }) => at / 1000),
    samples.map(({ received }) => received),
    samples.map(({ sent }) => sent),
  ];
}
