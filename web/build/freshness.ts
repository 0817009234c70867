import { relative, resolve } from "node:path";

/** What was built from what: SHA-256 in hex by path relative to the root. */
export interface BuildRecord {
  readonly inputs: Readonly<Record<string, string>>;
  readonly outputs: Readonly<Record<string, string>>;
}

/** Records the present content of these files (absolute paths, or relative to `root`). */
export async function recordOf(
  files: { inputs: readonly string[]; outputs: readonly string[] },
  root: string,
): Promise<BuildRecord> {
  return {
    inputs: await hashes(files.inputs, root),
    outputs: await hashes(files.outputs, root),
  };
}

/** True when every file that the record names is there and as it was. */
export async function isFresh(record: BuildRecord, root: string): Promise<boolean> {
  for (const [file, hash] of Object.entries({ ...record.inputs, ...record.outputs })) {
    if (await hashOf(resolve(root, file)) !== hash) return false;
  }
  return Object.keys(record.outputs).length > 0;
}

async function hashes(files: readonly string[], root: string): Promise<Record<string, string>> {
  const result: Record<string, string> = {};
  for (const file of [...new Set(files.map((file) => resolve(root, file)))].sort()) {
    const hash = await hashOf(file);
    if (hash !== undefined) result[relative(root, file)] = hash;
  }
  return result;
}

async function hashOf(file: string): Promise<string | undefined> {
  try {
    const digest = await crypto.subtle.digest("SHA-256", await Deno.readFile(file));
    return new Uint8Array(digest).toHex();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
