/** Inputs that are kept: one file each, named by its hash, in a folder for each target. */
import { createHash } from "node:crypto";

const FOLDER = new URL("./corpus/", import.meta.url);

/** Sorted by name; empty if there are none. */
export function readCorpus(target: string): { name: string; bytes: Uint8Array }[] {
  const folder = new URL(`${target}/`, FOLDER);
  try {
    return [...Deno.readDirSync(folder)].map(({ name }) => name).sort()
      .map((name) => ({ name, bytes: Deno.readFileSync(new URL(name, folder)) }));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

/** Returns the name that it got. */
export function keep(target: string, bytes: Uint8Array): string {
  const folder = new URL(`${target}/`, FOLDER);
  Deno.mkdirSync(folder, { recursive: true });
  const name = createHash("sha256").update(bytes).digest("hex").slice(0, 16);
  Deno.writeFileSync(new URL(name, folder), bytes);
  return name;
}
