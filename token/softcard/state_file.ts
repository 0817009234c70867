import { dirname } from "node:path";
import { equalBytes } from "../constant_time.ts";
import type { CardState } from "./state.ts";
import { decodeState, encodeState, isDamage, type StateDamage } from "./state_codec.ts";

/** A state file that can't be used; the message says what to do. */
export class StateFileError extends Error {
  override readonly name = "StateFileError";
}

/** The system calls that saving needs, so that tests can cut the power between any two of them. */
export interface FileSystem {
  /** Makes or empties a file that only its owner reads, writes all bytes and syncs it. */
  writeDurably(path: string, bytes: Uint8Array): void;
  rename(from: string, to: string): void;
  /** Syncs a directory, so that a rename in it survives. */
  syncDirectory(path: string): void;
  /** The whole file, or `undefined` when there is none. */
  read(path: string): Uint8Array | undefined;
}

/**
 * One card's state on disk. The name always means one whole state: a new one is written beside it,
 * synced, and renamed over it. Then it is written once more, as the spare: a state counts as saved
 * when both are durable, so that either of them may be cut or damaged later and nothing is lost or
 * brought back. A second process on the same file is kept out by a lock.
 */
export class StateFile {
  readonly #path: string;
  readonly #files: FileSystem;
  #isSpareUsed = false;
  #isUneven = false;

  constructor(path: string, files: FileSystem = diskFiles) {
    this.#path = path;
    this.#files = files;
  }

  /** Whether the last {@linkcode load} found the file damaged and took its spare. */
  get isSpareUsed(): boolean {
    return this.#isSpareUsed;
  }

  /**
   * Whether the last {@linkcode load} found file and spare to be different: a crash came between
   * them. Save what was loaded before the card is used, or later damage brings back an older state.
   */
  get isUneven(): boolean {
    return this.#isUneven;
  }

  /**
   * Reads the state, from the spare where the file itself is damaged; `undefined` when the file
   * isn't there yet.
   * @throws {StateFileError} when it is unreadable, or damaged together with its spare. There is no
   * way around that on purpose: an older state would give back PIN tries and money.
   */
  load(): CardState | undefined {
    this.#isSpareUsed = false;
    this.#isUneven = false;
    const bytes = this.#read(this.#path);
    if (bytes === undefined) return undefined;
    const read = decodeState(bytes);
    if (isDamage(read) && read.kind === "newer") throw new StateFileError(this.#explain(read));
    const spare = this.#read(spareOf(this.#path));
    this.#isUneven = spare === undefined || !equalBytes(spare, bytes);
    if (!isDamage(read)) return read;
    const second = spare === undefined ? read : decodeState(spare);
    if (isDamage(second)) throw new StateFileError(this.#explain(read));
    this.#isSpareUsed = true;
    return second;
  }

  /** Saves a state durably; `false` when it couldn't be, and the former state is still there. */
  save(state: CardState): boolean {
    const beside = `${this.#path}.new`;
    try {
      const bytes = encodeState(state);
      this.#files.writeDurably(beside, bytes);
      this.#files.rename(beside, this.#path);
      // The name means a whole state all the while that the spare is half written.
      this.#files.writeDurably(spareOf(this.#path), bytes);
      this.#files.syncDirectory(dirname(this.#path));
      return true;
    } catch {
      return false;
    }
  }

  #read(path: string): Uint8Array | undefined {
    try {
      return this.#files.read(path);
    } catch (error) {
      const why = messageOf(error);
      throw new StateFileError(
        `Cannot read the card's state ${path}: ${why}; check the path and rights`,
      );
    }
  }

  #explain(damage: StateDamage): string {
    const file = `Cannot load the card's state ${this.#path}`;
    switch (damage.kind) {
      case "not-a-card":
        return `${file}: it is no software card's file; name another file`;
      case "damaged":
        return `${file}: it is cut or damaged, and so is its spare; restore a copy, or delete it to make a new card`;
      case "newer":
        return `${file}: it has version ${damage.version}, newer than this program; update Sekisho`;
    }
  }
}

/** Where the second copy of a state lies. */
export function spareOf(path: string): string {
  return `${path}.spare`;
}

/**
 * Keeps other processes off a state file until the process ends; close it to let go earlier.
 * @throws {StateFileError} when another process has it.
 */
export function lockStateFile(path: string): Disposable {
  let lock: Deno.FsFile;
  try {
    lock = Deno.openSync(`${path}.lock`, { create: true, write: true, mode: 0o600 });
  } catch (error) {
    throw new StateFileError(
      `Cannot use the card's state ${path}: ${messageOf(error)}; check the path and rights`,
    );
  }
  if (!lock.tryLockSync(true)) {
    lock.close();
    throw new StateFileError(
      `Cannot use the card's state ${path}: another softcard has it; stop that one first`,
    );
  }
  return { [Symbol.dispose]: () => lock.close() };
}

/** The real disk. */
export const diskFiles: FileSystem = {
  writeDurably(path, bytes) {
    using file = Deno.openSync(path, { create: true, write: true, truncate: true, mode: 0o600 });
    for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
    file.syncSync();
  },
  rename: (from, to) => Deno.renameSync(from, to),
  syncDirectory(path) {
    using directory = Deno.openSync(path, { read: true });
    directory.syncSync();
  },
  read(path) {
    try {
      return Deno.readFileSync(path);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw error;
    }
  },
};

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
