/**
 * Writes another head and profile to a stick that is one already. Whenever the power goes, the old
 * profile or the new one is there whole: the copy that is not in use is written, read back from the
 * medium, and only then the other one.
 */
import { WriteInDoubtError, type Written } from "../profile/in_doubt.ts";
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
 * {@link WriteInDoubtError} when it went while the first head was written. RangeError when the hidden
 * part has no room for two copies.
 */
export async function rewriteCopies(
  medium: WritableMedium,
  found: Pick<FoundStick, "hiddenAt" | "hiddenBytes" | "copyAt">,
  pieces: HiddenPieces,
): Promise<Written> {
  const { hiddenAt, hiddenBytes, copyAt } = found;
  // The table is not signed: nothing beyond the part that it names is written.
  if (Math.max(...COPIES) + AREA.program > hiddenBytes) {
    throw new RangeError("Cannot write the stick: its hidden part is too small; format it anew");
  }
  const [other] = COPIES.filter((copy) => copy !== copyAt);
  if (other === undefined) throw new Error("There are two copies");
  await writeCopy(medium, hiddenAt + other, pieces);
  // The new one counts from here on.
  return await writeCopy(medium, hiddenAt + copyAt, pieces).then(
    () => "whole" as const,
    () => "untidied" as const,
  );
}

async function writeCopy(
  medium: WritableMedium,
  start: number,
  pieces: HiddenPieces,
): Promise<void> {
  const [head, ...others] = pieces.toReversed();
  if (head?.at !== AREA.head) throw new Error("The head of a copy is its last piece");
  for (const { at, bytes } of others) await medium.write(start + at, bytes);
  // The head makes the copy count: what it speaks of must be there before.
  await medium.settle();
  try {
    await medium.write(start + head.at, head.bytes);
    await medium.settle();
  } catch (error) {
    throw new WriteInDoubtError(error);
  }
  for (const { at, bytes } of pieces) {
    const there = await medium.read(start + at, bytes.length);
    if (there === undefined) throw new WriteInDoubtError("it can't be read any more");
    if (there.length === bytes.length && there.every((byte, i) => byte === bytes[i])) continue;
    throw new VerifyError(
      `Cannot trust the stick: at ${start + at} it gives back other bytes; use another one`,
    );
  }
}

/**
 * Does that on a device or a file.
 * @throws {ClaimError} when a device is in use.
 */
export async function rewriteStick(
  target: Target,
  found: Pick<FoundStick, "hiddenAt" | "hiddenBytes" | "copyAt">,
  pieces: HiddenPieces,
): Promise<Written> {
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
  return await rewriteCopies(medium, found, pieces);
}
