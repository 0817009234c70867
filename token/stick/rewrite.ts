/**
 * Writes another head and profile to a stick that is one already. Whenever the power goes, the old
 * profile or the new one is there whole: the copy that is not in use is written, read back from the
 * medium, and only then the other one.
 */
import type { Target } from "./devices.ts";
import { claimOf, VerifyError } from "./format.ts";
import { AREA, COPIES } from "./layout.ts";
import { openMedium, type StickMedium } from "./medium.ts";
import type { FoundStick } from "./open.ts";
import type { HiddenPieces } from "./seal.ts";

/** A medium that can be written to. */
export interface WritableMedium extends StickMedium {
  write(at: number, bytes: Uint8Array): Promise<void>;
  /** What was written is on the medium, and the next reads come from there. */
  settle(): Promise<void>;
}

/**
 * Writes both copies.
 * @param pieces Counted from a copy's start, the head last.
 * @throws {VerifyError} when the medium gives back other bytes; the copy in use is untouched then.
 */
export async function rewriteCopies(
  medium: WritableMedium,
  found: Pick<FoundStick, "hiddenAt" | "copyAt">,
  pieces: HiddenPieces,
): Promise<void> {
  const { hiddenAt, copyAt } = found;
  if (pieces.at(-1)?.at !== AREA.head) throw new Error("The head of a copy is its last piece");
  const order = [...COPIES.filter((copy) => copy !== copyAt), copyAt];
  for (const start of order) {
    for (const { at, bytes } of pieces) {
      // The head makes the copy count: what it speaks of must be there before.
      if (at === AREA.head) await medium.settle();
      await medium.write(hiddenAt + start + at, bytes);
    }
    await medium.settle();
    for (const { at, bytes } of pieces) {
      const there = await medium.read(hiddenAt + start + at, bytes.length);
      if (there?.length === bytes.length && there.every((byte, i) => byte === bytes[i])) continue;
      throw new VerifyError(
        `Cannot trust the stick: at ${hiddenAt + start + at} it gives back other bytes; ` +
          "use another one",
      );
    }
  }
}

/**
 * Does that on a device or a file.
 * @throws {ClaimError} when a device is in use.
 */
export async function rewriteStick(
  target: Target,
  found: Pick<FoundStick, "hiddenAt" | "copyAt">,
  pieces: HiddenPieces,
): Promise<void> {
  using claim = target.kind === "device" ? claimOf(target.path) : undefined;
  using file = await Deno.open(target.path, { read: true, write: true });
  using reader = await openMedium(target.path);
  const medium: WritableMedium = {
    sectors: reader.sectors,
    read: (at, length) => reader.read(at, length),
    async write(at, bytes) {
      await file.seek(at, Deno.SeekMode.Start);
      for (let done = 0; done < bytes.length;) done += await file.write(bytes.subarray(done));
    },
    async settle() {
      await file.syncData();
      claim?.dropCache();
    },
  };
  await rewriteCopies(medium, found, pieces);
}
