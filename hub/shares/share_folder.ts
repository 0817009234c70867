/** The folder of the shares that issuing stations gave the hub: one signed file for each. */
import { ConfigError } from "../../os/config.ts";
import { LONGEST_SHARE_RECORD } from "../../token/profile/limits.ts";
import { readShareRecord, type ShareRecord } from "../../token/profile/share_record.ts";
import type { IssuerKey } from "../../token/profile/types.ts";

/** Most files that are read. */
export const MOST_SHARES = 20_000;

const GROUP_OR_OTHERS = 0o077;

/** What a folder holds; `problems` tells the files that were left out, one line each. */
export interface ShareFolder {
  readonly records: readonly ShareRecord[];
  readonly problems: readonly string[];
}

/**
 * Reads every file whose name ends in ".share".
 * @throws {ConfigError} when the folder can't be read, or others may.
 */
export async function readShareFolder(
  path: string,
  issuerKeys: readonly IssuerKey[],
): Promise<ShareFolder> {
  const names = namesIn(path);
  const records: ShareRecord[] = [];
  const problems: string[] = [];
  for (const name of names) {
    const bytes = readBounded(`${path}/${name}`);
    const record = typeof bytes === "string" ? bytes : await readShareRecord(bytes, issuerKeys);
    if (typeof record === "object") records.push(record);
    else problems.push(`Cannot use the share ${path}/${name}: ${STATES[record] ?? record}`);
  }
  return { records, problems };
}

const STATES: Readonly<Record<string, string>> = {
  damaged: "it is damaged; copy it again from the issuing station",
  forged: "no issuer in [token] signed it; name the issuer, or remove the file",
};

function namesIn(path: string): string[] {
  const fault = (state: string) =>
    new ConfigError(`Cannot use shares.folder ${path}: ${state}; expected a folder of mode 0700`);
  try {
    const { mode, isDirectory } = Deno.statSync(path);
    if (!isDirectory) throw fault("it is no folder");
    if (((mode ?? 0) & GROUP_OR_OTHERS) !== 0) throw fault("others may look into it");
    const names = [...Deno.readDirSync(path)].map(({ name }) => name)
      .filter((name) => name.endsWith(".share")).sort();
    if (names.length > MOST_SHARES) throw fault(`it has more than ${MOST_SHARES} shares`);
    return names;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw fault("it is not there");
    if (error instanceof Deno.errors.PermissionDenied) throw fault("this user may not read it");
    throw error;
  }
}

function readBounded(path: string): Uint8Array | string {
  try {
    using file = Deno.openSync(path);
    const bytes = new Uint8Array(LONGEST_SHARE_RECORD + 2);
    const length = file.readSync(bytes) ?? 0;
    return bytes.subarray(0, length);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
