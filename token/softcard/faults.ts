/** Words in, faults out, each counted down to its command. @core */
import { Buffer } from "node:buffer";

/**
 * Faults that tests ask a card for: clearly a test facility. Each one hits once.
 */
export type Fault =
  /** The next command is answered by these bytes. */
  | { readonly kind: "garbage"; readonly answer: Uint8Array }
  /** The next command is never answered. */
  | { readonly kind: "silent" }
  /** The card is pulled in the middle of the Nth command from now (1: the next one). */
  | { readonly kind: "pull-at"; readonly command: number };

/** Which fault waits, and which one a command meets. */
export class FaultPlan {
  #waiting: Fault | undefined;

  get waiting(): Fault | undefined {
    return this.#waiting;
  }

  set(fault: Fault | undefined): void {
    this.#waiting = fault;
  }

  /** Counts one command; returns the fault that it meets. */
  meet(): Fault | undefined {
    const fault = this.#waiting;
    if (fault === undefined) return undefined;
    if (fault.kind === "pull-at" && fault.command > 1) {
      this.#waiting = { kind: "pull-at", command: fault.command - 1 };
      return undefined;
    }
    this.#waiting = undefined;
    return fault;
  }
}

/** Reads "garbage [HEX]", "silent", "pull-at N" or "none"; `undefined` for anything else. */
export function parseFault(words: readonly string[]): Fault | "none" | undefined {
  const [kind, detail, ...more] = words;
  if (more.length > 0) return undefined;
  switch (kind) {
    case "none":
      return detail === undefined ? "none" : undefined;
    case "silent":
      return detail === undefined ? { kind } : undefined;
    case "garbage":
      // One byte unless told: too short for a status word, so nobody can take it for an answer.
      if (!/^([0-9a-f]{2}){1,64}$/i.test(detail ?? "5a")) return undefined;
      return { kind, answer: new Uint8Array(Buffer.from(detail ?? "5a", "hex")) };
    case "pull-at":
      if (!/^[1-9]\d{0,5}$/.test(detail ?? "")) return undefined;
      return { kind, command: Number(detail) };
    default:
      return undefined;
  }
}
