/**
 * Whether requests for the card outlive their engine: they do while the holder of that same card is
 * asked for the PIN again, and until then nobody is granted anything. @core
 */
import type { SessionPhase } from "../view.ts";

/** Phases on the way back to a session of a card that stayed in. */
const WAYS_BACK: ReadonlySet<SessionPhase["phase"]> = new Set([
  ...["reading", "pin-asked", "suspended", "unlocking", "up"] as const,
]);

export class KeptRequests {
  #card: string | undefined;
  #hasEnded = false;

  /** Whether an engine has ended and its requests wait for the next one. */
  get areWaiting(): boolean {
    return this.#card !== undefined && this.#hasEnded;
  }

  /** This card's engine will end, to have the PIN asked for again. */
  begin(card: string | undefined): void {
    this.#card = card;
    this.#hasEnded = false;
  }

  /** An engine has ended; true: requests stay. */
  engineEnded(): boolean {
    this.#hasEnded = true;
    return this.areWaiting;
  }

  /** Where the session stands now; true: requests that waited are to end. */
  moved({ phase }: SessionPhase): boolean {
    return this.areWaiting && !WAYS_BACK.has(phase) && this.drop();
  }

  /** This card is lent again; requests go to its engine, or end where it is another card. */
  lent(card: string | undefined): "nothing" | "go-on" | "end" {
    // What an engine says until it has ended is no news of the next one.
    if (!this.areWaiting) return "nothing";
    const isSame = card === this.#card;
    this.drop();
    return isSame ? "go-on" : "end";
  }

  drop(): true {
    this.#card = undefined;
    this.#hasEnded = false;
    return true;
  }
}
