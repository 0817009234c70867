/**
 * The visible part's file system: FAT32 (Microsoft, "FAT: General Overview of On-Disk Format" 1.03,
 * fatgen103) with files in its root, each in one piece.
 * @core
 * Contract: a size and the names and lengths of files in; the metadata's bytes, and where each
 * file's content belongs, out. Numbers are little-endian.
 */
import { directoryEntries } from "./fat_names.ts";

const SECTOR = 512;
const RESERVED = 32;
const FATS = 2;
const ROOT_CLUSTER = 2;
/** Fewer clusters would be FAT16 by definition. */
const FEWEST_CLUSTERS = 65_525;
const END_OF_CHAIN = 0x0fff_ffff;
const LARGEST_FILE = 0xffff_ffff;

/** Smallest volume that this writes: FAT32 of one sector a cluster. */
export const SMALLEST_FAT = 34 << 20;

/** A file to be placed. */
export interface FatFile {
  /** Up to 255 characters; printable ASCII. */
  readonly name: string;
  readonly length: number;
}

export interface FatVolume {
  /** Bytes of the volume; multiples of 512 count. */
  readonly bytes: number;
  /** Where the volume begins on its disk, in sectors. */
  readonly firstSector: number;
  /** Up to 11 capital letters. */
  readonly label: string;
  /** 32 bits. */
  readonly serial: number;
  readonly modified: Date;
}

/** What is to be written where, counted from the volume's start. */
export interface FatPlan {
  /** Metadata; everything else of the reserved part, the FATs and the root is zero. */
  readonly pieces: readonly { readonly at: number; readonly bytes: Uint8Array }[];
  /** Bytes from the start that must be zero where no piece lies. */
  readonly metadataBytes: number;
  /** In the order given. */
  readonly files: readonly { readonly name: string; readonly at: number }[];
}

/** @throws {RangeError} when the volume is too small for FAT32 or for the files. */
export function planFat(volume: FatVolume, files: readonly FatFile[]): FatPlan {
  const geometry = layOut(volume);
  const { clusterBytes, dataAt, clusters } = geometry;
  const directory = directoryEntries(volume.label, volume.modified);
  const chains: { first: number; count: number }[] = [];
  const rootClusters = Math.max(1, Math.ceil((directory.bytesFor(files) + 32) / clusterBytes));
  chains.push({ first: ROOT_CLUSTER, count: rootClusters });
  let next = ROOT_CLUSTER + rootClusters;
  const placed = files.map(({ name, length }) => {
    if (length > LARGEST_FILE) throw new RangeError(`Cannot place ${name}: it has 4 GiB or more`);
    const count = Math.ceil(length / clusterBytes);
    const first = count === 0 ? 0 : next;
    if (count > 0) chains.push({ first, count });
    next += count;
    return { name, length, first, at: dataAt + (first - ROOT_CLUSTER) * clusterBytes };
  });
  if (next - ROOT_CLUSTER > clusters) {
    const short = (next - ROOT_CLUSTER - clusters) * clusterBytes;
    throw new RangeError(`Cannot place the files: the volume is ${short} bytes too small`);
  }
  const fat = allocationTable(chains, next);
  const boot = bootSector(volume, geometry);
  const info = infoSector({ free: clusters - (next - ROOT_CLUSTER), next });
  const fatAt = (copy: number) => (RESERVED + copy * geometry.fatSectors) * SECTOR;
  return {
    pieces: [
      // Sectors 0 to 2, and their copies at 6 to 8.
      ...[0, 6].flatMap((sector) => [
        { at: sector * SECTOR, bytes: boot },
        { at: (sector + 1) * SECTOR, bytes: info },
        { at: (sector + 2) * SECTOR, bytes: signed(new Uint8Array(SECTOR)) },
      ]),
      { at: fatAt(0), bytes: fat },
      { at: fatAt(1), bytes: fat },
      { at: dataAt, bytes: directory.encode(placed) },
    ],
    metadataBytes: dataAt + rootClusters * clusterBytes,
    files: placed.map(({ name, at }) => ({ name, at })),
  };
}

interface Geometry {
  readonly sectors: number;
  readonly clusterBytes: number;
  readonly fatSectors: number;
  readonly clusters: number;
  readonly dataAt: number;
}

/** Cluster sizes are fatgen103's table for FAT32. */
function layOut(volume: FatVolume): Geometry {
  const sectors = Math.min(Math.floor(volume.bytes / SECTOR), 0xffff_ffff);
  const megabytes = volume.bytes / (1 << 20);
  const perCluster = [[260, 1], [8192, 8], [16_384, 16], [32_768, 32]]
    .find(([most = 0]) => megabytes <= most)?.[1] ?? 64;
  // Each sector of a FAT names 128 clusters; solved for the FAT that describes what it leaves.
  const fatSectors = Math.ceil((sectors - RESERVED + 2 * perCluster) / (128 * perCluster + FATS));
  const dataSector = RESERVED + FATS * fatSectors;
  const clusters = Math.floor((sectors - dataSector) / perCluster);
  if (clusters < FEWEST_CLUSTERS) {
    throw new RangeError(
      `Cannot make the visible part: ${Math.floor(megabytes)} MiB of at least ${
        SMALLEST_FAT >> 20
      } MiB`,
    );
  }
  return {
    sectors,
    clusterBytes: perCluster * SECTOR,
    fatSectors,
    clusters,
    dataAt: dataSector * SECTOR,
  };
}

function bootSector(volume: FatVolume, geometry: Geometry): Uint8Array {
  const bytes = new Uint8Array(SECTOR);
  const view = new DataView(bytes.buffer);
  bytes.set([0xeb, 0x58, 0x90]); // jump over the parameters
  bytes.set(ascii("SEKISHO ", 8), 3);
  view.setUint16(11, SECTOR, true);
  bytes[13] = geometry.clusterBytes / SECTOR;
  view.setUint16(14, RESERVED, true);
  bytes[16] = FATS;
  bytes[21] = 0xf8; // a fixed disk
  view.setUint16(24, 63, true);
  view.setUint16(26, 255, true);
  view.setUint32(28, volume.firstSector, true);
  view.setUint32(32, geometry.sectors, true);
  view.setUint32(36, geometry.fatSectors, true);
  view.setUint32(44, ROOT_CLUSTER, true);
  view.setUint16(48, 1, true); // the information sector
  view.setUint16(50, 6, true); // the copy of the boot sector
  bytes[64] = 0x80;
  bytes[66] = 0x29; // serial, label and type follow
  view.setUint32(67, volume.serial, true);
  bytes.set(ascii(volume.label, 11), 71);
  bytes.set(ascii("FAT32", 8), 82);
  bytes.set([0xf4, 0xeb, 0xfd], 90); // nothing to boot: halt
  return signed(bytes);
}

function infoSector({ free, next }: { free: number; next: number }): Uint8Array {
  const bytes = new Uint8Array(SECTOR);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x4161_5252, true);
  view.setUint32(484, 0x6141_7272, true);
  view.setUint32(488, free, true);
  view.setUint32(492, next, true);
  return signed(bytes);
}

function signed(bytes: Uint8Array): Uint8Array {
  bytes.set([0x55, 0xaa], 510);
  return bytes;
}

function allocationTable(
  chains: readonly { first: number; count: number }[],
  used: number,
): Uint8Array {
  const table = new Uint32Array(used);
  table[0] = 0x0fff_fff8;
  table[1] = END_OF_CHAIN; // shut down cleanly, no errors
  for (const { first, count } of chains) {
    for (let index = 0; index < count; index++) {
      table[first + index] = index === count - 1 ? END_OF_CHAIN : first + index + 1;
    }
  }
  const bytes = new Uint8Array(used * 4);
  const view = new DataView(bytes.buffer);
  table.forEach((entry, index) => view.setUint32(index * 4, entry, true));
  return bytes;
}

function ascii(text: string, length: number): Uint8Array {
  return new TextEncoder().encode(text.padEnd(length, " ").slice(0, length));
}
