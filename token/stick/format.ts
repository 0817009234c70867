/**
 * Writes a stick: the visible file system, the hidden part, and last the partition table, so that
 * one that was left half-written is no stick at all. Then reads everything back.
 */
import { createHash, randomBytes, randomUUID } from "node:crypto";
import { claimDevice, type ClaimedDevice } from "../../os/block_device.ts";
import type { Target } from "./devices.ts";
import { planFat, SMALLEST_FAT } from "./fat.ts";
import { ALIGNMENT, AREA, COPIES, HIDDEN_BYTES, HIDDEN_NAME, VISIBLE_NAME } from "./layout.ts";
import {
  BACK_SECTORS,
  encodeTable,
  FRONT_SECTORS,
  type Partition,
  SECTOR,
  TYPE_HIDDEN,
  TYPE_VISIBLE,
} from "./partition.ts";
import type { HiddenPieces } from "./seal.ts";

/** A file of the visible part: its bytes, or where they are. */
export interface VisibleFile {
  readonly name: string;
  readonly length: number;
  readonly content: Uint8Array | { readonly path: string };
}

export interface StickContent {
  readonly visible: readonly VisibleFile[];
  readonly hidden: HiddenPieces;
}

export interface FormatOptions {
  readonly now: Date;
  /** Bytes that are written or read back, of all that will be. */
  readonly onProgress?: (done: number, of: number) => void;
}

/** What Windows itself makes at most of FAT32; the rest of a larger stick stays unused. */
const LARGEST_VISIBLE = 32 * 2 ** 30;

/** The medium gave back other bytes than were written. */
export class VerifyError extends Error {
  override readonly name = "VerifyError";
}

/** The device is in use in a way that only the kernel sees. */
export class ClaimError extends Error {
  override readonly name = "ClaimError";
}

/** Smallest stick for files of `visibleBytes` altogether. */
export function smallestStick(visibleBytes: number): number {
  // A FAT takes under one part in a hundred; 2 MiB are the table's, and alignment's.
  const visible = Math.max(SMALLEST_FAT, Math.ceil(visibleBytes * 1.02) + (2 << 20));
  return visible + HIDDEN_BYTES + (4 << 20);
}

/**
 * Formats. Everything on the target is lost.
 * @throws {ClaimError} when a device is in use, {@link VerifyError} when it doesn't keep what is
 * written, RangeError when it is too small.
 */
export async function formatStick(
  target: Target,
  content: StickContent,
  options: FormatOptions,
): Promise<void> {
  using claim = target.kind === "device" ? claimOf(target.path) : undefined;
  const writes = planWrites(target, { content, now: options.now });
  const total = 2 * writes.reduce((sum, write) => sum + lengthOf(write), 0);
  let done = 0;
  const advance = (bytes: number) => options.onProgress?.(done += bytes, total);
  using file = await Deno.open(target.path, { read: true, write: true });
  const digests: string[] = [];
  for (const write of writes) digests.push(await perform(file, write, advance));
  await file.syncData();
  claim?.dropCache();
  for (const [index, write] of writes.entries()) {
    // What a later write lies over was checked with that one.
    if (write.isCovered) advance(lengthOf(write));
    else if (await digestOf(file, write, advance) !== digests[index]) {
      throw new VerifyError(
        `Cannot trust ${target.path}: at ${write.at} it gives back other bytes; use another stick`,
      );
    }
  }
  claim?.rereadPartitions();
}

/** @throws {ClaimError} when it is in use. */
export function claimOf(path: string): ClaimedDevice {
  try {
    return claimDevice(path);
  } catch (error) {
    throw new ClaimError(error instanceof Error ? error.message : String(error));
  }
}

interface Write {
  readonly at: number;
  readonly bytes: Uint8Array | { readonly path: string; readonly length: number };
  readonly isCovered?: boolean;
}

function planWrites(
  target: Target,
  { content, now }: { content: StickContent; now: Date },
): Write[] {
  const sectors = Math.floor(target.bytes / SECTOR);
  const { visible, hidden } = partitionsFor(sectors);
  const fat = planFat({
    bytes: visible.sectors * SECTOR,
    firstSector: visible.firstSector,
    label: VISIBLE_NAME.toUpperCase(),
    serial: randomBytes(4).readUInt32LE(),
    modified: now,
  }, content.visible);
  const table = encodeTable([visible, hidden], { sectors, id: randomUUID() });
  const visibleAt = visible.firstSector * SECTOR;
  const hiddenAt = hidden.firstSector * SECTOR;
  const [head, ...sealed] = [...content.hidden].reverse();
  if (head?.at !== AREA.head) throw new Error("The head of a hidden part is its last piece");
  const place = (base: number) => ({ at, bytes }: { at: number; bytes: Uint8Array }): Write => ({
    at: base + at,
    bytes,
  });
  const files = content.visible.map((file, index): Write => ({
    at: visibleAt + (fat.files[index]?.at ?? 0),
    bytes: file.content instanceof Uint8Array
      ? file.content
      : { path: file.content.path, length: file.length },
  }));
  return [
    // First of all it stops being what it was.
    { at: 0, bytes: new Uint8Array(ALIGNMENT * SECTOR), isCovered: true },
    {
      at: (sectors - BACK_SECTORS) * SECTOR,
      bytes: new Uint8Array(BACK_SECTORS * SECTOR),
      isCovered: true,
    },
    { at: visibleAt, bytes: new Uint8Array(fat.metadataBytes), isCovered: true },
    ...fat.pieces.map(place(visibleAt)),
    ...files,
    { at: hiddenAt, bytes: new Uint8Array(AREA.program), isCovered: true },
    // What a former stick had there must not stand in for anything.
    { at: hiddenAt + COPIES[1], bytes: new Uint8Array(AREA.program) },
    ...sealed.map(place(hiddenAt)),
    place(hiddenAt)(head),
    { at: (sectors - BACK_SECTORS) * SECTOR, bytes: table.back },
    { at: 0, bytes: table.front },
  ];
}

function partitionsFor(sectors: number): { visible: Partition; hidden: Partition } {
  const end = sectors - BACK_SECTORS;
  const hiddenSectors = HIDDEN_BYTES / SECTOR;
  const hiddenFirst = Math.floor((end - hiddenSectors) / ALIGNMENT) * ALIGNMENT;
  const visibleFirst = Math.max(ALIGNMENT, FRONT_SECTORS);
  const visibleSectors = Math.min(hiddenFirst - visibleFirst, LARGEST_VISIBLE / SECTOR);
  if (visibleSectors < SMALLEST_FAT / SECTOR) {
    throw new RangeError(
      `Cannot format: ${Math.floor(sectors * SECTOR / (1 << 20))} MiB are too few`,
    );
  }
  return {
    visible: {
      type: TYPE_VISIBLE,
      id: randomUUID(),
      firstSector: visibleFirst,
      sectors: visibleSectors,
      name: VISIBLE_NAME,
    },
    hidden: {
      type: TYPE_HIDDEN,
      id: randomUUID(),
      firstSector: hiddenFirst,
      sectors: hiddenSectors,
      name: HIDDEN_NAME,
    },
  };
}

function lengthOf({ bytes }: Write): number {
  return bytes.length;
}

const STEP = 1 << 20;

/** Writes one piece; resolves to the SHA-256 of what was written. */
async function perform(
  file: Deno.FsFile,
  write: Write,
  advance: (bytes: number) => void,
): Promise<string> {
  const hash = createHash("sha256");
  await file.seek(write.at, Deno.SeekMode.Start);
  let left = lengthOf(write);
  for await (const step of stepsOf(write)) {
    const bytes = step.subarray(0, left);
    hash.update(bytes);
    for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
    left -= bytes.length;
    advance(bytes.length);
  }
  if (left > 0) throw new RangeError("Cannot format: a file became shorter while it was copied");
  return hash.digest("hex");
}

async function* stepsOf({ bytes }: Write): AsyncGenerator<Uint8Array> {
  if (bytes instanceof Uint8Array) {
    for (let at = 0; at < bytes.length; at += STEP) yield bytes.subarray(at, at + STEP);
    return;
  }
  using source = await Deno.open(bytes.path);
  const step = new Uint8Array(STEP);
  for (;;) {
    const count = await source.read(step);
    if (count === null) return;
    yield step.subarray(0, count);
  }
}

async function digestOf(
  file: Deno.FsFile,
  write: Write,
  advance: (bytes: number) => void,
): Promise<string> {
  const hash = createHash("sha256");
  await file.seek(write.at, Deno.SeekMode.Start);
  const step = new Uint8Array(STEP);
  for (let left = lengthOf(write); left > 0;) {
    const count = await file.read(step.subarray(0, Math.min(STEP, left)));
    if (count === null || count === 0) break;
    hash.update(step.subarray(0, count));
    left -= count;
    advance(count);
  }
  return hash.digest("hex");
}
