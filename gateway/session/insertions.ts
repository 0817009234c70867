/**
 * Which token is in which reader: what the PC/SC service reports goes in; what came, went and waits
 * for an engine comes out. One insertion at a time is the session's, until its token is out. @core
 */
import type { ReaderState } from "./events.ts";

/** A token in a reader, told apart from the same one put in again. */
export interface Insertion {
  readonly reader: string;
  readonly counter: number;
  readonly token?: "stick";
}

/** What a report changed. */
export interface ReadersChange {
  readonly added: readonly string[];
  readonly gone: readonly string[];
  /** The session's token, if it is out or was changed. */
  readonly removed?: Insertion;
}

export class Insertions {
  #readers: readonly ReaderState[] = [];
  #current: Insertion | undefined;

  /** The session's. */
  get current(): Insertion | undefined {
    return this.#current;
  }

  /** As last reported. */
  get readers(): readonly ReaderState[] {
    return this.#readers;
  }

  /** What the box waits for, or has; undefined: a card. */
  get token(): "stick" | "either" | undefined {
    return this.#current === undefined ? waitedFor(this.#readers) : this.#current.token;
  }

  report(readers: readonly ReaderState[]): ReadersChange {
    const before = this.#readers;
    this.#readers = readers;
    const change = { added: notIn(before, readers), gone: notIn(readers, before) };
    const current = this.#current;
    if (current === undefined) return change;
    const reader = readers.find(({ name }) => name === current.reader);
    if (reader?.card === "present" && reader.counter === current.counter) return change;
    this.#current = undefined;
    return { ...change, removed: current };
  }

  /** The session's insertion as it stays, or the first token that waits; undefined without one. */
  take(): { readonly insertion: Insertion; readonly isNew: boolean } | undefined {
    if (this.#current !== undefined) return { insertion: this.#current, isNew: false };
    const reader = this.#readers.find(({ card }) => card === "present");
    if (reader === undefined) return undefined;
    const { name, counter, token } = reader;
    this.#current = { reader: name, counter, ...(token === undefined ? {} : { token }) };
    return { insertion: this.#current, isNew: true };
  }
}

/** The names that `others` have and `readers` don't. */
function notIn(readers: readonly ReaderState[], others: readonly ReaderState[]): string[] {
  const known = new Set(readers.map(({ name }) => name));
  return others.map(({ name }) => name).filter((name) => !known.has(name));
}

/** What an empty box waits for; undefined: cards. */
function waitedFor(readers: readonly ReaderState[]): "stick" | "either" | undefined {
  if (!readers.some(({ token }) => token === "stick")) return undefined;
  return readers.every(({ token }) => token === "stick") ? "stick" : "either";
}
