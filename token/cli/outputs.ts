/**
 * Files that belong to a profile. They are written aside before the card is touched and get their
 * names once the card carries the profile: no file ever speaks of a profile that isn't there.
 */
import { randomBytes } from "node:crypto";
import { TokenKeepsOthersError, WriteInDoubtError, type Written } from "../profile/in_doubt.ts";
import { CommandError } from "./errors.ts";
import { mustBeNew, writeSecret } from "./files.ts";

/** A file to be. */
export interface Output {
  readonly path: string;
  readonly content: Uint8Array | string;
}

/** Writes files aside; they are readable by their owner only. */
export async function stage(outputs: readonly Output[]): Promise<StagedOutputs> {
  const mark = `.new-${randomBytes(4).toString("hex")}`;
  const staged: string[] = [];
  try {
    for (const { path, content } of outputs) {
      mustBeNew(path);
      await writeSecret(`${path}${mark}`, content);
      staged.push(path);
    }
  } catch (error) {
    for (const path of staged) await Deno.remove(`${path}${mark}`);
    throw error;
  }
  return new StagedOutputs(staged, mark);
}

/**
 * Writes a token, the files that belong to it around that: aside before, named once the token
 * carries what they speak of, taken away when it doesn't. Where nobody can tell, they stay aside.
 */
export async function writeWith(
  outputs: readonly Output[],
  { what, write }: { what: "card" | "stick"; write: () => Promise<Written> },
): Promise<void> {
  const staged = await stage(outputs);
  let written: Written;
  try {
    written = await write();
  } catch (error) {
    if (error instanceof WriteInDoubtError) {
      throw new CommandError(
        `Cannot tell which profile the ${what} carries now (${error.message}): put it in and do ` +
          `it again${staged.explain()}`,
      );
    }
    await staged.discard();
    if (error instanceof TokenKeepsOthersError) throw new CommandError(error.message);
    throw error;
  }
  await staged.commit();
  if (written === "untidied") {
    console.error(
      `note: the ${what} went before its former profile was taken away; the new one counts, and ` +
        "the next change tidies up",
    );
  }
}

/** Files that wait for their names. */
export class StagedOutputs {
  readonly #paths: readonly string[];
  readonly #mark: string;

  /** Use {@linkcode stage}. */
  constructor(paths: readonly string[], mark: string) {
    this.#paths = paths;
    this.#mark = mark;
  }

  /** Gives them their names, never over a file that came meanwhile. */
  async commit(): Promise<void> {
    for (const path of this.#paths) {
      const aside = `${path}${this.#mark}`;
      try {
        await give(aside, path);
      } catch {
        throw new CommandError(
          `Cannot name ${path}: another file came meanwhile, or the disk refused; ` +
            `the card is written, take ${aside}`,
        );
      }
    }
  }

  /** Which ones wait, as the end of a sentence. */
  explain(): string {
    if (this.#paths.length === 0) return "";
    const names = this.#paths.map((path) => `${path}${this.#mark}`);
    return ` under other names; if it carries the new one, its files are ${names.join(", ")}`;
  }

  /** Takes them away: the card doesn't carry what they speak of. */
  async discard(): Promise<void> {
    for (const path of this.#paths) await Deno.remove(`${path}${this.#mark}`);
  }
}

async function give(aside: string, path: string): Promise<void> {
  try {
    await Deno.link(aside, path);
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) throw error;
    // A file system without links (FAT, on a stick).
    mustBeNew(path);
    return await Deno.rename(aside, path);
  }
  await Deno.remove(aside);
}
