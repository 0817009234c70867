/** The issuer's journal on the disk, beside its file: lines are added, and synced before they count. */
import { decodeEntry, encodeEntry, type JournalEntry } from "../../stored_value/journal.ts";
import { CommandError } from "../errors.ts";

/** Some 300,000 receipts. */
const LONGEST = 64 * 1024 * 1024;
const NEWLINE = 0x0a;

export class PurseJournal implements Disposable {
  /** What was there when it was opened, the oldest first. */
  readonly entries: readonly JournalEntry[];
  readonly #file: Deno.FsFile;

  private constructor(file: Deno.FsFile, entries: readonly JournalEntry[]) {
    this.#file = file;
    this.entries = entries;
  }

  /** The caller sees to it that nobody else has it. @throws {CommandError} when it is none. */
  static async open(path: string): Promise<PurseJournal> {
    const file = await Deno.open(path, { read: true, write: true, create: true, mode: 0o600 });
    try {
      const bytes = await readAll(file, path);
      // Cut while it was written: nobody was told of that entry.
      const end = bytes.lastIndexOf(NEWLINE) + 1;
      if (end < bytes.length) await file.truncate(end);
      await file.seek(end, Deno.SeekMode.Start);
      const text = new TextDecoder().decode(bytes.subarray(0, end));
      const entries = text.split("\n").slice(0, -1).map((line, index) => {
        const entry = decodeEntry(line);
        if (entry !== undefined) return entry;
        throw new CommandError(
          `Cannot use ${path}: line ${index + 1} is damaged; restore it from a copy`,
        );
      });
      return new PurseJournal(file, entries);
    } catch (error) {
      file.close();
      throw error;
    }
  }

  /** On the disk when it returns. */
  async add(entries: readonly JournalEntry[]): Promise<void> {
    const text = entries.map((entry) => `${encodeEntry(entry)}\n`).join("");
    const bytes = new TextEncoder().encode(text);
    for (let sent = 0; sent < bytes.length;) sent += await this.#file.write(bytes.subarray(sent));
    await this.#file.sync();
  }

  [Symbol.dispose](): void {
    this.#file.close();
  }
}

async function readAll(file: Deno.FsFile, path: string): Promise<Uint8Array> {
  const { size } = await file.stat();
  if (size > LONGEST) {
    throw new CommandError(`Cannot use ${path}: it has more than ${LONGEST} bytes; put it away`);
  }
  const bytes = new Uint8Array(size);
  for (let length = 0; length < size;) {
    const got = await file.read(bytes.subarray(length));
    if (got === null) return bytes.subarray(0, length);
    length += got;
  }
  return bytes;
}
