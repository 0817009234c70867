/**
 * Entries of a FAT directory: short names, and long ones before them (fatgen103, "FAT Directory
 * Structure" and "Long Directory Entries"). @core
 */
const ENTRY = 32;
const ARCHIVE = 0x20;
const READ_ONLY = 0x01;
const VOLUME_ID = 0x08;
const LONG_NAME = 0x0f;
const LAST_LONG_ENTRY = 0x40;
const UNITS = 13;
/** Where the 13 UTF-16 units of a long entry lie. */
const UNIT_PLACES = [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30];

/** A file with its place. */
export interface PlacedFile {
  readonly name: string;
  readonly length: number;
  /** First cluster; 0 for an empty file. */
  readonly first: number;
}

export interface Directory {
  bytesFor(files: readonly { name: string }[]): number;
  encode(files: readonly PlacedFile[]): Uint8Array;
}

/** The root directory of a volume with this label. */
export function directoryEntries(label: string, modified: Date): Directory {
  const stamp = dosTime(modified);
  return {
    bytesFor: (files) =>
      ENTRY * (1 + files.reduce((sum, { name }) => sum + 1 + Math.ceil(name.length / UNITS), 0)),
    encode(files) {
      const entries = [
        shortEntry({ short: label.padEnd(11).slice(0, 11), first: 0, length: 0 }, {
          attributes: VOLUME_ID,
          stamp,
        }),
      ];
      files.forEach((file, index) => {
        const short = shortName(file.name, index + 1);
        entries.push(...longEntries(file.name, checksum(short)));
        entries.push(shortEntry({ ...file, short }, { attributes: ARCHIVE | READ_ONLY, stamp }));
      });
      const bytes = new Uint8Array(ENTRY * entries.length);
      entries.forEach((entry, index) => bytes.set(entry, index * ENTRY));
      return bytes;
    },
  };
}

/** Unique by its number: what people see is the long name. */
function shortName(name: string, number: number): string {
  const dot = name.lastIndexOf(".");
  const clean = (text: string) => text.toUpperCase().replace(/[^A-Z0-9]/g, "");
  const tail = `~${number}`;
  const stem = clean(dot < 0 ? name : name.slice(0, dot)).slice(0, 8 - tail.length) + tail;
  return stem.padEnd(8) + clean(dot < 0 ? "" : name.slice(dot + 1)).slice(0, 3).padEnd(3);
}

function shortEntry(
  file: { short: string; first: number; length: number },
  { attributes, stamp }: { attributes: number; stamp: { date: number; time: number } },
): Uint8Array {
  const bytes = new Uint8Array(ENTRY);
  const view = new DataView(bytes.buffer);
  bytes.set(new TextEncoder().encode(file.short));
  bytes[11] = attributes;
  view.setUint16(14, stamp.time, true);
  view.setUint16(16, stamp.date, true);
  view.setUint16(18, stamp.date, true);
  view.setUint16(20, file.first >>> 16, true);
  view.setUint16(22, stamp.time, true);
  view.setUint16(24, stamp.date, true);
  view.setUint16(26, file.first & 0xffff, true);
  view.setUint32(28, file.length, true);
  return bytes;
}

/** The last piece of the name stands first. */
function longEntries(name: string, sum: number): Uint8Array[] {
  const count = Math.ceil(name.length / UNITS);
  return Array.from({ length: count }, (_, index) => {
    const number = count - index;
    const bytes = new Uint8Array(ENTRY);
    const view = new DataView(bytes.buffer);
    bytes[0] = number | (index === 0 ? LAST_LONG_ENTRY : 0);
    bytes[11] = LONG_NAME;
    bytes[13] = sum;
    UNIT_PLACES.forEach((place, unit) => {
      const at = (number - 1) * UNITS + unit;
      // One zero ends the name; what follows it is all ones.
      const value = at < name.length ? name.charCodeAt(at) : at === name.length ? 0 : 0xffff;
      view.setUint16(place, value, true);
    });
    return bytes;
  });
}

function checksum(short: string): number {
  let sum = 0;
  for (const byte of new TextEncoder().encode(short)) {
    sum = ((sum & 1) << 7) + (sum >> 1) + byte & 0xff;
  }
  return sum;
}

/** Years since 1980 in local time, as FAT has it; UTC here. */
function dosTime(date: Date): { date: number; time: number } {
  const years = Math.min(127, Math.max(0, date.getUTCFullYear() - 1980));
  return {
    date: years << 9 | date.getUTCMonth() + 1 << 5 | date.getUTCDate(),
    time: date.getUTCHours() << 11 | date.getUTCMinutes() << 5 | date.getUTCSeconds() >> 1,
  };
}
