/**
 * What a batch has done: a line of JSON for each row that is finished, in the folder of its outputs.
 * A row counts as done once its card is written and its files have their names.
 */
import * as v from "valibot";
import { CommandError } from "./errors.ts";

const NAME = "batch.jsonl";
const LARGEST = 4 * 1024 * 1024;

const DoneSchema = v.object({
  client: v.string(),
  digest: v.string(),
  card: v.string(),
  profile: v.string(),
  generation: v.number(),
});

/** A row that is done. */
export type Done = v.InferOutput<typeof DoneSchema>;

/** A card that is about to be written for a client. */
const BegunSchema = v.object({ begun: v.string(), card: v.string() });

interface Entries {
  readonly done: Map<string, Done>;
  /** Client to card. */
  readonly begun: Map<string, string>;
}

/** The journal of one folder, which one batch at a time may use. */
export class BatchJournal implements Disposable {
  readonly #file: Deno.FsFile;
  readonly #entries: Entries;

  private constructor(file: Deno.FsFile, entries: Entries) {
    this.#file = file;
    this.#entries = entries;
  }

  /** @throws {CommandError} when another batch uses the folder, or it holds something else. */
  static async open(folder: string): Promise<BatchJournal> {
    const path = `${folder}/${NAME}`;
    try {
      await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
    } catch (error) {
      throw new CommandError(
        `Cannot write to ${folder}: ${messageOf(error)}; choose another --out`,
      );
    }
    const file = await Deno.open(path, { read: true, append: true, create: true, mode: 0o600 });
    try {
      if (!await file.tryLock(true)) {
        throw new CommandError(`Cannot use ${folder}: another batch runs there; wait for its end`);
      }
      return new BatchJournal(file, await readAll(file, path));
    } catch (error) {
      file.close();
      throw error;
    }
  }

  of(client: string): Done | undefined {
    return this.#entries.done.get(client);
  }

  /** The cards that this batch has written. */
  hasCard(card: string): boolean {
    return [...this.#entries.done.values()].some((one) => one.card === card);
  }

  /** Whether a run that was cut may have written this card for this client. */
  hasBegun(client: string, card: string): boolean {
    return this.#entries.begun.get(client) === card;
  }

  /** Says that a card is about to be written. On the disk when it returns. */
  async begin(client: string, card: string): Promise<void> {
    await this.#write({ begun: client, card });
    this.#entries.begun.set(client, card);
  }

  /** On the disk when it returns. */
  async add(done: Done): Promise<void> {
    await this.#write(done);
    this.#entries.done.set(done.client, done);
  }

  async #write(entry: Done | v.InferOutput<typeof BegunSchema>): Promise<void> {
    const bytes = new TextEncoder().encode(`${JSON.stringify(entry)}\n`);
    for (let sent = 0; sent < bytes.length;) sent += await this.#file.write(bytes.subarray(sent));
    await this.#file.syncData();
  }

  [Symbol.dispose](): void {
    this.#file.close();
  }
}

async function readAll(file: Deno.FsFile, path: string): Promise<Entries> {
  const { size } = await file.stat();
  if (size > LARGEST) throw new CommandError(`Cannot use ${path}: it is no journal of a batch`);
  const bytes = new Uint8Array(size);
  await file.seek(0, Deno.SeekMode.Start);
  for (let length = 0; length < size;) {
    const got = await file.read(bytes.subarray(length));
    if (got === null) break;
    length += got;
  }
  const lines = new TextDecoder().decode(bytes).split("\n");
  // Cut while it was written: that entry doesn't count, and the next one gets a line of its own.
  if (lines.at(-1) !== "") await file.write(new TextEncoder().encode("\n"));
  const entries: Entries = { done: new Map(), begun: new Map() };
  for (const [index, line] of lines.entries()) {
    const entry = parse(line);
    if (entry === undefined) {
      if (line === "" || CUT.test(line)) continue;
      throw new CommandError(`Cannot use ${path}: line ${index + 1} is no entry of a batch`);
    }
    if ("begun" in entry) entries.begun.set(entry.begun, entry.card);
    else entries.done.set(entry.client, entry);
  }
  return entries;
}

/** The beginning of an entry, which a crash left behind. */
const CUT = /^\{(?:"(?:client|begun)".*|"[a-z]{0,6})?$/;

function parse(line: string): Done | v.InferOutput<typeof BegunSchema> | undefined {
  try {
    const parsed = v.safeParse(v.union([DoneSchema, BegunSchema]), JSON.parse(line));
    return parsed.success ? parsed.output : undefined;
  } catch {
    return undefined;
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
