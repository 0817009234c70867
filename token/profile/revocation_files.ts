/**
 * Files of what issuers took back, read again whenever they change. The newest good list of each
 * issuer is kept in a folder of one's own: a file that is lost, damaged or put back to an older one
 * brings nothing that was taken back into force again, now or after a restart.
 */
import { createHash, randomBytes } from "node:crypto";
import { LONGEST_REVOCATIONS } from "./limits.ts";
import {
  findRevocation,
  type ProfileName,
  readRevocations,
  type Revocation,
  type RevocationList,
} from "./revocations.ts";
import type { IssuerKey } from "./types.ts";

/** What a look has brought. */
export type RevocationChange =
  | { readonly kind: "read"; readonly list: RevocationList }
  | { readonly kind: "refused"; readonly reason: string };

export class RevocationFiles {
  readonly #files: WatchedFile[];
  readonly #issuerKeys: readonly IssuerKey[];
  readonly #folder: string;
  readonly #lists = new Map<IssuerKey, RevocationList>();
  #looking = false;

  private constructor(
    paths: readonly string[],
    options: { issuerKeys: readonly IssuerKey[]; folder: string },
  ) {
    this.#files = paths.map((path) => ({
      path,
      seen: undefined,
      content: undefined,
      fault: undefined,
    }));
    this.#issuerKeys = options.issuerKeys;
    this.#folder = options.folder;
  }

  /**
   * Reads what was kept and what lies in the files.
   * @throws {Error} in one line when a file can't be used and no list was ever kept: then nobody
   * can tell what was taken back.
   */
  static async open(
    paths: readonly string[],
    options: { issuerKeys: readonly IssuerKey[]; folder: string },
  ): Promise<RevocationFiles> {
    const files = new RevocationFiles(paths, options);
    if (paths.length === 0) return files;
    for (const issuer of options.issuerKeys) await files.#readKept(issuer);
    const kept = files.#lists.size;
    const faults = (await files.look()).flatMap((one) => one.kind === "refused" ? [one] : []);
    if (faults[0] !== undefined && kept === 0) throw new Error(faults[0].reason);
    return files;
  }

  /** Reads the files that have changed since the last look. One look runs at a time. */
  async look(): Promise<RevocationChange[]> {
    if (this.#looking) return [];
    this.#looking = true;
    try {
      const changes: RevocationChange[] = [];
      for (const file of this.#files) {
        const mark = await markOf(file.path);
        if (mark.settled && mark.name === file.seen) continue;
        const bytes = await readBounded(file.path);
        file.seen = mark.settled ? mark.name : undefined;
        const content = contentName(bytes);
        if (content === file.content) continue;
        file.content = content;
        changes.push(...await this.#read(file, bytes));
      }
      return changes;
    } finally {
      this.#looking = false;
    }
  }

  /** The entry that takes a profile back. */
  find(profile: ProfileName): Revocation | undefined {
    return findRevocation(this.#lists.values(), profile);
  }

  /** Files that can't be used now, for administrators. */
  warnings(): string[] {
    return this.#files.flatMap(({ fault }) => fault === undefined ? [] : [fault]);
  }

  async #read(file: WatchedFile, bytes: Uint8Array | undefined): Promise<RevocationChange[]> {
    const refuse = (state: string): RevocationChange[] => {
      file.fault = `Cannot use ${file.path}: ${state}; put the newest list there (token revoke)`;
      return [{ kind: "refused", reason: file.fault }];
    };
    if (bytes === undefined) return refuse("it is not there, or this user may not read it");
    const list = await readRevocations(bytes, this.#issuerKeys);
    switch (list) {
      case "damaged":
        return refuse("it is damaged");
      case "forged":
        return refuse("no trusted issuer signed it");
      case "newer-version":
        return refuse("a later version of this program wrote it");
    }
    const known = this.#lists.get(list.issuer);
    if (known !== undefined && list.number < known.number) {
      return refuse(`it is older (${list.number}) than one that was read before (${known.number})`);
    }
    file.fault = undefined;
    if (known?.number === list.number) return [];
    this.#lists.set(list.issuer, list);
    const kept = await this.#keep(list.issuer, bytes);
    return [
      { kind: "read", list },
      ...(kept === undefined ? [] : [{ kind: "refused", reason: kept } as const]),
    ];
  }

  async #readKept(issuer: IssuerKey): Promise<void> {
    const bytes = await readBounded(this.#keptAt(issuer));
    const list = bytes && await readRevocations(bytes, [issuer]);
    if (typeof list === "object") this.#lists.set(issuer, list);
  }

  /** What went wrong, if it did: the list is in force all the same. */
  async #keep(issuer: IssuerKey, bytes: Uint8Array): Promise<string | undefined> {
    const path = this.#keptAt(issuer);
    const aside = `${path}.${randomBytes(4).toString("hex")}`;
    try {
      await Deno.mkdir(this.#folder, { recursive: true, mode: 0o700 });
      await Deno.writeFile(aside, bytes, { mode: 0o600 });
      await Deno.rename(aside, path);
      return undefined;
    } catch (error) {
      await Deno.remove(aside).catch(() => {});
      const why = error instanceof Error ? error.message : String(error);
      return `Cannot keep the list of what was taken back in ${this.#folder}: ${why}; ` +
        "a restart would know only the file";
    }
  }

  #keptAt(issuer: IssuerKey): string {
    return `${this.#folder}/${issuer}.jws`;
  }
}

interface WatchedFile {
  readonly path: string;
  /** The mark of what was read last, once that mark is settled. */
  seen: string | undefined;
  /** What was read last. */
  content: string | undefined;
  fault: string | undefined;
}

/** The coarsest clock of a file system that a file may lie on (FAT), in milliseconds. */
const COARSEST_TICK_MS = 2000;

/**
 * What changes with a file's content; written anew, it is another file. A file that was written a
 * moment ago can be written again without another mark, within one tick of its file system's
 * clock: that mark is not settled and says nothing of the content. One from the future never is.
 */
async function markOf(path: string): Promise<{ name: string; settled: boolean }> {
  try {
    const now = Date.now();
    const { ino, size, mtime, ctime } = await Deno.stat(path);
    const changed = Math.max(mtime?.getTime() ?? now, ctime?.getTime() ?? now);
    return {
      name: `${ino} ${size} ${mtime?.getTime()} ${ctime?.getTime()}`,
      settled: now - changed > COARSEST_TICK_MS,
    };
  } catch {
    return { name: "none", settled: false };
  }
}

function contentName(bytes: Uint8Array | undefined): string {
  return bytes === undefined ? "none" : createHash("sha256").update(bytes).digest("base64");
}

async function readBounded(path: string): Promise<Uint8Array | undefined> {
  try {
    using file = await Deno.open(path);
    const bytes = new Uint8Array(LONGEST_REVOCATIONS + 2);
    let length = 0;
    while (length < bytes.length) {
      const got = await file.read(bytes.subarray(length));
      if (got === null) break;
      length += got;
    }
    return bytes.subarray(0, length);
  } catch {
    return undefined;
  }
}
