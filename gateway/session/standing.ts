/** Where a card session stands, and what one event brings about; the parts of the core share it. @core */
import type { PinOutcome, PinTarget } from "../view.ts";
import type { EngineRun, SessionCommand } from "./events.ts";
import { PinLine } from "./pin_line.ts";
import type { Stage } from "./stage.ts";

export class Standing {
  stage: Stage = { at: "idle" };
  /** Of the engine that runs, or of the last one. */
  run = 0 as EngineRun;
  /** Where the engine takes PINs, once it has said so. */
  target: PinTarget | undefined;
  /** Those behind the PIN that is tried; empty unless one is. */
  readonly line = new PinLine();
  /** Unix milliseconds of the event of now. */
  date = 0;
  #out: SessionCommand[] = [];

  /** Begins with the next event. */
  begin(date: number): void {
    this.#out = [];
    this.date = date;
  }

  /** What must be done because of the event of now, in order. */
  get commands(): SessionCommand[] {
    return this.#out;
  }

  engineRuns(): boolean {
    const { at } = this.stage;
    return at !== "idle" && at !== "settled" && at !== "ending";
  }

  command(command: SessionCommand): void {
    this.#out.push(command);
  }

  answer(ticket: number, outcome: PinOutcome): void {
    this.command({ type: "answer-pin", ticket, outcome });
  }

  answerLine(outcome: PinOutcome): void {
    for (let next = this.line.shift(); next !== undefined; next = this.line.shift()) {
      this.answer(next.ticket, outcome);
    }
  }

  journal(
    level: Extract<SessionCommand, { type: "journal" }>["level"],
    event: string,
    detail: Record<string, string | number>,
  ): void {
    this.command({ type: "journal", level, event, detail });
  }
}
