/** How a story is told while it runs: to a screen, or to a test. */
export interface Teller {
  /** A new part of the story begins. */
  step(title: string): void;
  /** Something worth a line within the step. */
  note(text: string): void;
  /** A thing that was measured. */
  figure(figure: Figure): void;
}

export interface Figure {
  /** A stable word for programs: "pin-to-first-answer". */
  readonly name: string;
  /** For people. */
  readonly label: string;
  readonly value: number;
  /** "ms", "packets", "MB/s"… */
  readonly unit: string;
  /** What is hoped for: at most this. */
  readonly goal?: number;
}

/** Writes plain lines: for tests, whose runner shows them when something fails. */
export class PlainTeller implements Teller {
  readonly figures: Figure[] = [];
  readonly #start = performance.now();

  step(title: string): void {
    console.log(`${((performance.now() - this.#start) / 1000).toFixed(1).padStart(6)} s  ${title}`);
  }

  note(text: string): void {
    console.log(`          ${text}`);
  }

  figure(figure: Figure): void {
    this.figures.push(figure);
    const goal = figure.goal === undefined ? "" : ` (goal: at most ${figure.goal})`;
    console.log(`          ${figure.label}: ${formatFigure(figure)}${goal}`);
  }
}

export function formatFigure({ value, unit }: Figure): string {
  const digits = Number.isInteger(value) ? 0 : value < 10 ? 2 : 1;
  return `${value.toFixed(digits)} ${unit}`;
}
