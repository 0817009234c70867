/**
 * Looks for secrets in the memory of other processes, through /proc/PID/mem. Every page that is
 * there is read, also those that the process itself may not read; pages that were never touched
 * hold nothing and are passed over (proc(5), /proc/PID/pagemap).
 */
import { Buffer } from "node:buffer";

export interface Needle {
  /** What it is, for the report: "private key", "PIN"… */
  readonly name: string;
  /** At least four bytes; short ones are found by chance. */
  readonly bytes: Uint8Array;
}

export interface Mapping {
  readonly start: number;
  readonly end: number;
  /** "rw-p" */
  readonly permissions: string;
  /** File, "[heap]", "[stack]", or "" for anonymous memory. */
  readonly name: string;
}

export interface Hit {
  readonly needle: string;
  readonly pid: number;
  /** The process's command line. */
  readonly process: string;
  readonly address: number;
  readonly mapping: Mapping;
}

export interface SearchResult {
  readonly hits: readonly Hit[];
  /** Bytes that were read. */
  readonly searched: number;
  readonly processes: number;
  /** Processes that ended meanwhile. */
  readonly gone: number;
}

const PAGE = 4096;
const CHUNK = 4 << 20;
const PAGEMAP_PRESENT_OR_SWAPPED = 0xc0; // bits 63 and 62, in the entry's last byte
const UNREADABLE = /^\[(vvar|vvar_vclock|vsyscall|vdso)\]$/;

/** Searches every process of `pids`. One that ends meanwhile is counted, not an error. */
export function searchMemory(pids: readonly number[], needles: readonly Needle[]): SearchResult {
  const finder = new Finder(needles);
  const hits: Hit[] = [];
  let searched = 0;
  let gone = 0;
  for (const pid of pids) {
    const process = nameOf(pid);
    try {
      searched += eachChunk(pid, finder.overlap, (bytes, address, mapping) => {
        for (const found of finder.find(bytes)) {
          const hit = { needle: found.name, pid, process, address: address + found.at, mapping };
          // The overlap shows a needle at a chunk's edge twice.
          if (!hits.some((h) => h.pid === pid && h.address === hit.address)) hits.push(hit);
        }
      });
    } catch (error) {
      if (!isGone(error)) throw error;
      gone++;
    }
  }
  return { hits, searched, processes: pids.length - gone, gone };
}

/** A process's locked mappings that are left out of core dumps, and what lies in them now. */
export function readSecretMemory(pid: number): { mapping: Mapping; bytes: Uint8Array }[] {
  const wanted = secretMappings(pid);
  using memory = Deno.openSync(`/proc/${pid}/mem`);
  return wanted.map((mapping) => {
    const bytes = new Uint8Array(mapping.end - mapping.start);
    readAt(memory, mapping.start, bytes);
    return { mapping, bytes };
  });
}

/**
 * What looks like a key in secret memory: 32 bytes at a multiple of 16 with at least 20 different
 * byte values (a random key has 30 on average; counters, addresses and text have far fewer).
 */
export function keysIn(parts: readonly { readonly bytes: Uint8Array }[]): Needle[] {
  const found = new Map<string, Needle>();
  for (const { bytes } of parts) {
    for (let at = 0; at + 32 <= bytes.length; at += 16) {
      const key = bytes.slice(at, at + 32);
      // A window across two keys, or over half a key, is found with the key itself.
      if (new Set(key).size < 20) continue;
      const name = `secret memory +0x${at.toString(16)}`;
      found.set(key.toHex(), { name, bytes: key });
    }
  }
  return [...found.values()];
}

/** The mappings of a process, as /proc/PID/maps lists them. */
export function mappingsOf(pid: number): Mapping[] {
  const found: Mapping[] = [];
  for (const line of Deno.readTextFileSync(`/proc/${pid}/maps`).split("\n")) {
    const mapping = parseMapping(line);
    if (mapping !== undefined) found.push(mapping);
  }
  return found;
}

/**
 * Proportional set size of a process in bytes: memory that it shares is counted in parts. One that
 * ended since it was listed has none.
 */
export function proportionalSetSize(pid: number): number {
  let text: string;
  try {
    text = Deno.readTextFileSync(`/proc/${pid}/smaps_rollup`);
  } catch (error) {
    if (!isGone(error)) throw error;
    return 0;
  }
  const kilobytes = /^Pss:\s+(\d+) kB$/m.exec(text)?.[1];
  if (kilobytes === undefined) throw new Error(`Cannot read the memory use of process ${pid}`);
  return Number(kilobytes) * 1024;
}

function secretMappings(pid: number): Mapping[] {
  const found: Mapping[] = [];
  let current: Mapping | undefined;
  for (const line of Deno.readTextFileSync(`/proc/${pid}/smaps`).split("\n")) {
    current = parseMapping(line) ?? current;
    if (!line.startsWith("VmFlags:") || current === undefined) continue;
    const flags = line.split(/\s+/);
    if (flags.includes("lo") && flags.includes("dd")) found.push(current);
  }
  return found;
}

function parseMapping(line: string): Mapping | undefined {
  const match = /^([0-9a-f]+)-([0-9a-f]+) (\S{4}) \S+ \S+ \d+\s*(.*)$/.exec(line);
  if (match === null) return undefined;
  const [, start = "", end = "", permissions = "", name = ""] = match;
  return { start: parseInt(start, 16), end: parseInt(end, 16), permissions, name };
}

/** Hands out all memory that is there, in chunks that overlap by `overlap` bytes; returns its size. */
function eachChunk(
  pid: number,
  overlap: number,
  visit: (bytes: Uint8Array, address: number, mapping: Mapping) => void,
): number {
  using memory = Deno.openSync(`/proc/${pid}/mem`);
  using pagemap = Deno.openSync(`/proc/${pid}/pagemap`);
  const buffer = new Uint8Array(CHUNK);
  let searched = 0;
  for (const mapping of mappingsOf(pid)) {
    if (UNREADABLE.test(mapping.name)) continue;
    for (const run of presentRuns(pagemap, mapping)) {
      searched += run.end - run.start;
      for (let at = run.start; at < run.end; at += CHUNK - overlap) {
        const bytes = buffer.subarray(0, Math.min(CHUNK, run.end - at));
        if (!readAt(memory, at, bytes)) break;
        visit(bytes, at, mapping);
      }
    }
  }
  return searched;
}

function presentRuns(pagemap: Deno.FsFile, mapping: Mapping): { start: number; end: number }[] {
  const runs: { start: number; end: number }[] = [];
  const entries = new Uint8Array(1 << 19);
  let open: number | undefined;
  for (let at = mapping.start; at < mapping.end;) {
    const pages = Math.min((mapping.end - at) / PAGE, entries.length / 8);
    if (!readAt(pagemap, at / PAGE * 8, entries.subarray(0, pages * 8))) break;
    for (let page = 0; page < pages; page++) {
      const there = ((entries[page * 8 + 7] as number) & PAGEMAP_PRESENT_OR_SWAPPED) !== 0;
      if (there && open === undefined) open = at + page * PAGE;
      if (!there && open !== undefined) {
        runs.push({ start: open, end: at + page * PAGE });
        open = undefined;
      }
    }
    at += pages * PAGE;
  }
  if (open !== undefined) runs.push({ start: open, end: mapping.end });
  return runs;
}

/** False when the memory is gone or can't be read (device memory, or unmapped meanwhile). */
function readAt(file: Deno.FsFile, at: number, into: Uint8Array): boolean {
  file.seekSync(at, Deno.SeekMode.Start);
  let done = 0;
  try {
    while (done < into.length) {
      const count = file.readSync(into.subarray(done));
      if (count === null || count === 0) return false;
      done += count;
    }
    return true;
  } catch (error) {
    if (error instanceof Error && /os error (5|14)\b/.test(error.message)) return false;
    throw error;
  }
}

/** Finds any of many needles in one pass, by a table of their first two bytes. */
class Finder {
  readonly overlap: number;
  readonly #starts = new Uint8Array(1 << 16);
  readonly #needles: readonly Needle[];

  constructor(needles: readonly Needle[]) {
    for (const { name, bytes } of needles) {
      if (bytes.length < 4) throw new RangeError(`Cannot search for ${name}: under four bytes`);
      this.#starts[(bytes[0] as number) | (bytes[1] as number) << 8] = 1;
    }
    this.#needles = needles;
    this.overlap = Math.max(4, ...needles.map((needle) => needle.bytes.length)) - 1;
  }

  find(bytes: Uint8Array): { name: string; at: number }[] {
    const found: { name: string; at: number }[] = [];
    const starts = this.#starts;
    let previous = bytes[0] ?? 0;
    for (let i = 1; i < bytes.length; i++) {
      const byte = bytes[i] as number;
      if (starts[previous | byte << 8] === 1) this.#compare(bytes, i - 1, found);
      previous = byte;
    }
    return found;
  }

  #compare(bytes: Uint8Array, at: number, found: { name: string; at: number }[]): void {
    for (const needle of this.#needles) {
      const there = bytes.subarray(at, at + needle.bytes.length);
      if (Buffer.compare(there, needle.bytes) === 0) found.push({ name: needle.name, at });
    }
  }
}

function nameOf(pid: number): string {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/cmdline`).replaceAll("\0", " ").trim();
  } catch {
    return "?";
  }
}

/** ESRCH is also what is said of one whose memory went first: ended, not yet asked after by its parent. */
function isGone(error: unknown): boolean {
  return error instanceof Deno.errors.NotFound ||
    (error instanceof Error && /os error 3\b/.test(error.message));
}
