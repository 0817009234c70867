/**
 * The stick's partition table: GPT (UEFI 2.10, section 5.3) with a protective MBR and both copies.
 * @core
 * Contract: a size and two partitions in, the bytes of both ends of the disk out; and back, telling
 * no table, a damaged one, and one that only its second copy still tells apart.
 */
import { crc32 } from "node:zlib";

export const SECTOR = 512;
/** Sectors at the front: protective MBR, header, 128 entries of 128 bytes. */
export const FRONT_SECTORS = 34;
/** Sectors at the end: entries, header. */
export const BACK_SECTORS = 33;

const SIGNATURE = new TextEncoder().encode("EFI PART");
const REVISION = 0x0001_0000;
const HEADER_BYTES = 92;
const ENTRIES = 128;
const ENTRY_BYTES = 128;
const ENTRY_SECTORS = ENTRIES * ENTRY_BYTES / SECTOR;
const LONGEST_NAME = 36;

/** What every system mounts (Microsoft basic data, UEFI table 5.7 and Microsoft's list). */
export const TYPE_VISIBLE = "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7";
/** This project's own: no system knows it, so none mounts it or offers to format it. */
export const TYPE_HIDDEN = "5e4b1540-57a9-4c1b-9d3e-7a0c6f1d2b85";

/** Attribute bits (UEFI table 5.6; 60 to 63 as Microsoft uses them): read-only, hidden, no letter. */
const HIDDEN_ATTRIBUTES = 1n << 60n | 1n << 62n | 1n << 63n;

/** A range of sectors. */
export interface Partition {
  /** GUIDs in their usual text form, lower case. */
  readonly type: string;
  readonly id: string;
  readonly firstSector: number;
  readonly sectors: number;
  readonly name: string;
}

/** Both ends of a disk. */
export interface TableImage {
  /** From sector 0. */
  readonly front: Uint8Array;
  /** Up to the last sector. */
  readonly back: Uint8Array;
}

/** What a disk's ends say. */
export type TableRead =
  | {
    readonly result: "ok";
    readonly partitions: readonly Partition[];
    /** The copy that is damaged, when the other one still speaks. */
    readonly damaged?: "front" | "back";
  }
  | { readonly result: "none" }
  | { readonly result: "damaged" };

/** Writes both ends of a disk of `sectors` sectors. */
export function encodeTable(
  partitions: readonly Partition[],
  disk: { sectors: number; id: string },
): TableImage {
  const entries = new Uint8Array(ENTRIES * ENTRY_BYTES);
  partitions.forEach((partition, index) => {
    checkFits(partition, disk.sectors);
    entries.set(encodeEntry(partition), index * ENTRY_BYTES);
  });
  const header = (at: number) => encodeHeader({ entries, disk, at });
  const front = new Uint8Array(FRONT_SECTORS * SECTOR);
  front.set(protectiveMbr(disk.sectors));
  front.set(header(1), SECTOR);
  front.set(entries, 2 * SECTOR);
  const back = new Uint8Array(BACK_SECTORS * SECTOR);
  back.set(entries);
  back.set(header(disk.sectors - 1), entries.length);
  return { front, back };
}

/** Reads both ends of a disk of `sectors` sectors; what is shorter than it should be is damaged. */
export function decodeTable(image: TableImage, sectors: number): TableRead {
  const front = decodeCopy({
    header: image.front.subarray(SECTOR, 2 * SECTOR),
    entries: image.front.subarray(2 * SECTOR, (2 + ENTRY_SECTORS) * SECTOR),
    at: 1,
    sectors,
  });
  const back = decodeCopy({
    header: image.back.subarray(ENTRY_SECTORS * SECTOR),
    entries: image.back.subarray(0, ENTRY_SECTORS * SECTOR),
    at: sectors - 1,
    sectors,
  });
  if (typeof front === "object") {
    return {
      result: "ok",
      partitions: front,
      ...(typeof back === "object" ? {} : { damaged: "back" }),
    };
  }
  if (typeof back === "object") return { result: "ok", partitions: back, damaged: "front" };
  const isTrace = front === "damaged" || back === "damaged" || isProtective(image.front);
  return { result: isTrace ? "damaged" : "none" };
}

function checkFits(partition: Partition, sectors: number): void {
  const { firstSector, sectors: length, name } = partition;
  const last = firstSector + length - 1;
  if (firstSector < FRONT_SECTORS || length < 1 || last >= sectors - BACK_SECTORS) {
    throw new RangeError(`Cannot place partition ${name}: sectors ${firstSector} to ${last}`);
  }
}

function encodeEntry(partition: Partition): Uint8Array {
  const bytes = new Uint8Array(ENTRY_BYTES);
  const view = new DataView(bytes.buffer);
  bytes.set(encodeGuid(partition.type));
  bytes.set(encodeGuid(partition.id), 16);
  view.setBigUint64(32, BigInt(partition.firstSector), true);
  view.setBigUint64(40, BigInt(partition.firstSector + partition.sectors - 1), true);
  view.setBigUint64(48, partition.type === TYPE_HIDDEN ? HIDDEN_ATTRIBUTES : 0n, true);
  for (let i = 0; i < Math.min(LONGEST_NAME, partition.name.length); i++) {
    view.setUint16(56 + 2 * i, partition.name.charCodeAt(i), true);
  }
  return bytes;
}

function encodeHeader(
  { entries, disk, at }: { entries: Uint8Array; disk: { sectors: number; id: string }; at: number },
): Uint8Array {
  const bytes = new Uint8Array(SECTOR);
  const view = new DataView(bytes.buffer);
  const other = at === 1 ? disk.sectors - 1 : 1;
  bytes.set(SIGNATURE);
  view.setUint32(8, REVISION, true);
  view.setUint32(12, HEADER_BYTES, true);
  view.setBigUint64(24, BigInt(at), true);
  view.setBigUint64(32, BigInt(other), true);
  view.setBigUint64(40, BigInt(FRONT_SECTORS), true);
  view.setBigUint64(48, BigInt(disk.sectors - BACK_SECTORS - 1), true);
  bytes.set(encodeGuid(disk.id), 56);
  view.setBigUint64(72, BigInt(at === 1 ? 2 : disk.sectors - BACK_SECTORS), true);
  view.setUint32(80, ENTRIES, true);
  view.setUint32(84, ENTRY_BYTES, true);
  view.setUint32(88, crc32(entries), true);
  view.setUint32(16, crc32(bytes.subarray(0, HEADER_BYTES)), true);
  return bytes;
}

/** UEFI 2.10, section 5.2.3: one partition of type EE over the whole disk. */
function protectiveMbr(sectors: number): Uint8Array {
  const bytes = new Uint8Array(SECTOR);
  const view = new DataView(bytes.buffer);
  bytes.set([0x00, 0x00, 0x02, 0x00, 0xee, 0xff, 0xff, 0xff], 446);
  view.setUint32(454, 1, true);
  view.setUint32(458, Math.min(sectors - 1, 0xffff_ffff), true);
  bytes.set([0x55, 0xaa], 510);
  return bytes;
}

function isProtective(front: Uint8Array): boolean {
  return front[510] === 0x55 && front[511] === 0xaa && front[450] === 0xee;
}

/** One copy of the table: its partitions, or "none" where no header begins. */
function decodeCopy(
  copy: { header: Uint8Array; entries: Uint8Array; at: number; sectors: number },
): readonly Partition[] | "none" | "damaged" {
  const { header, entries, at, sectors } = copy;
  if (SIGNATURE.some((byte, index) => header[index] !== byte)) return "none";
  if (header.length < SECTOR || entries.length < ENTRIES * ENTRY_BYTES) return "damaged";
  const view = new DataView(header.buffer, header.byteOffset, header.length);
  const unsigned = header.slice(0, HEADER_BYTES);
  unsigned.fill(0, 16, 20);
  const isWhole = view.getUint32(12, true) === HEADER_BYTES &&
    view.getUint32(16, true) === crc32(unsigned) &&
    view.getBigUint64(24, true) === BigInt(at) &&
    view.getUint32(80, true) === ENTRIES && view.getUint32(84, true) === ENTRY_BYTES &&
    view.getUint32(88, true) === crc32(entries.subarray(0, ENTRIES * ENTRY_BYTES));
  if (!isWhole) return "damaged";
  const partitions: Partition[] = [];
  for (let index = 0; index < ENTRIES; index++) {
    const entry = entries.subarray(index * ENTRY_BYTES, (index + 1) * ENTRY_BYTES);
    if (entry.subarray(0, 16).every((byte) => byte === 0)) continue;
    const partition = decodeEntry(entry, sectors);
    if (partition === undefined) return "damaged";
    partitions.push(partition);
  }
  return partitions;
}

function decodeEntry(entry: Uint8Array, sectors: number): Partition | undefined {
  const view = new DataView(entry.buffer, entry.byteOffset, entry.length);
  const first = view.getBigUint64(32, true);
  const last = view.getBigUint64(40, true);
  if (first < BigInt(FRONT_SECTORS) || last < first || last >= BigInt(sectors - BACK_SECTORS)) {
    return undefined;
  }
  let name = "";
  for (let i = 0; i < LONGEST_NAME; i++) {
    const unit = view.getUint16(56 + 2 * i, true);
    if (unit === 0) break;
    name += String.fromCharCode(unit);
  }
  return {
    type: decodeGuid(entry.subarray(0, 16)),
    id: decodeGuid(entry.subarray(16, 32)),
    firstSector: Number(first),
    sectors: Number(last - first) + 1,
    name,
  };
}

/** The first three groups are little-endian (UEFI 2.10, appendix A). */
const GUID_ORDER = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];

function encodeGuid(text: string): Uint8Array {
  const bytes = Uint8Array.fromHex(text.replaceAll("-", ""));
  return Uint8Array.from(GUID_ORDER, (index) => bytes[index] ?? 0);
}

function decodeGuid(bytes: Uint8Array): string {
  const hex = Uint8Array.from(GUID_ORDER, (index) => bytes[index] ?? 0).toHex();
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
