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

/** The journal of one folder, which one batch at a time may use. */
export class BatchJournal implements Disposable {
  readonly #file: Deno.FsFile;
  readonly #done: Map<string, Done>;

  private constructor(file: Deno.FsFile, done: Map<string, Done>) {
    this.#file = file;
    this.#done = done;
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
    return this.#done.get(client);
  }

  /** The cards that this batch has written. */
  hasCard(card: string): boolean {
    return [...this.#done.values()].some((one) => one.card === card);
  }

  /** On the disk when it returns. */
  async add(done: Done): Promise<void> {
    const bytes = new TextEncoder().encode(`${JSON.stringify(done)}\n`);
    for (let sent = 0; sent < bytes.length;) sent += await this.#file.write(bytes.subarray(sent));
    await this.#file.syncData();
    this.#done.set(done.client, done);
  }

  [Symbol.dispose](): void {
    this.#file.close();
  }
}

async function readAll(file: Deno.FsFile, path: string): Promise<Map<string, Done>> {
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
  // Cut while it was written: that row is not done, and the next line begins anew.
  const cut = lines.pop() ?? "";
  if (cut !== "") await file.write(new TextEncoder().encode("\n"));
  const done = new Map<string, Done>();
  for (const [index, line] of [...lines, cut].entries()) {
    const entry = parse(line);
    if (entry !== undefined) done.set(entry.client, entry);
    else if (line !== "" && index < lines.length - 1 && !isCutLine(line)) {
      throw new CommandError(`Cannot use ${path}: line ${index + 1} is no entry of a batch`);
    }
  }
  return done;
}

function parse(line: string): Done | undefined {
  try {
    const parsed = v.safeParse(DoneSchema, JSON.parse(line));
    return parsed.success ? parsed.output : undefined;
  } catch {
    return undefined;
  }
}

/** The beginning of an entry, which a crash left behind. */
function isCutLine(line: string): boolean {
  return '{"client":'.startsWith(line.slice(0, 10)) || line.startsWith('{"client":');
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
