/**
 * PINs that wait while another one is tried: they go in with their terminal and the tries that
 * their holder saw, and come out in order, each once. @core
 */
import type { SealedPin } from "../view.ts";
import { PINS_WAITING } from "./limits.ts";

export interface WaitingPin {
  readonly ticket: number;
  /** The terminal's address. */
  readonly from: string;
  readonly sealed: SealedPin;
  /** Tries left, as the page said when it was entered. */
  readonly triesSeen: number;
}

export class PinLine {
  #waiting: readonly WaitingPin[] = [];

  /** False: too many wait, or one of this terminal does. Never are two tries spent on one wish. */
  add(pin: WaitingPin): boolean {
    if (this.#waiting.length >= PINS_WAITING || this.has(pin.from)) return false;
    this.#waiting = [...this.#waiting, pin];
    return true;
  }

  has(from: string): boolean {
    return this.#waiting.some((one) => one.from === from);
  }

  /** The next one. */
  shift(): WaitingPin | undefined {
    const [first, ...rest] = this.#waiting;
    this.#waiting = rest;
    return first;
  }

  /** Takes a terminal's out. */
  remove(from: string): WaitingPin | undefined {
    const found = this.#waiting.find((one) => one.from === from);
    this.#waiting = this.#waiting.filter((one) => one !== found);
    return found;
  }
}

/** Whether a PIN would be the last try and its holder doesn't know that. */
export function isUnseenLast(pin: { triesSeen: number }, triesLeft: number): boolean {
  return triesLeft <= 1 && pin.triesSeen > triesLeft;
}
