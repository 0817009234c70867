/** A stick as bytes: a block device or a file, read at any place. */
import { SECTOR } from "./partition.ts";

/** Reads of at most this many bytes at once. */
const STEP = 1 << 20;

/** What the readers of a stick need. */
export interface StickMedium {
  readonly sectors: number;
  /** `length` bytes, or fewer where the medium ends; `undefined` when it can't be read. */
  read(at: number, length: number): Promise<Uint8Array<ArrayBuffer> | undefined>;
}

/** A medium that is open for reading. */
export interface OpenMedium extends StickMedium, Disposable {}

/**
 * Opens a device or a file.
 * @throws {Deno.errors.NotFound | Deno.errors.PermissionDenied} and what else opening throws.
 */
export async function openMedium(path: string): Promise<OpenMedium> {
  const file = await Deno.open(path);
  try {
    const bytes = await file.seek(0, Deno.SeekMode.End);
    return {
      sectors: Math.floor(bytes / SECTOR),
      read: (at, length) => readAt(file, { at, length }),
      [Symbol.dispose]: () => file.close(),
    };
  } catch (error) {
    file.close();
    throw error;
  }
}

async function readAt(
  file: Deno.FsFile,
  { at, length }: { at: number; length: number },
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const bytes = new Uint8Array(length);
  let done = 0;
  try {
    await file.seek(at, Deno.SeekMode.Start);
    while (done < length) {
      const count = await file.read(bytes.subarray(done, Math.min(length, done + STEP)));
      if (count === null || count === 0) break;
      done += count;
    }
  } catch {
    return undefined; // pulled, or a bad block: whichever it is, it isn't there
  }
  return bytes.subarray(0, done);
}
