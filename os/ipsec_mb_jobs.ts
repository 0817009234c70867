/**
 * Managers and jobs of Intel's multi-buffer cryptography for IPsec (libIPSec_MB, 1.3 and later).
 *
 * A manager holds a ring of jobs in memory of its own. A job of the kind used here is done when its
 * submission returns, so one after another is filled in and submitted, round and round. The offsets
 * are those of IMB_MGR and IMB_JOB in intel-ipsec-mb.h, the same in 1.x and 2.x; how long a job is
 * and how many there are differs, and is learnt.
 */
const SYMBOLS = {
  imb_get_version: { parameters: [], result: "u32" },
  alloc_mb_mgr: { parameters: ["u64"], result: "pointer" },
  free_mb_mgr: { parameters: ["pointer"], result: "void" },
  init_mb_mgr_auto: { parameters: ["pointer", "pointer"], result: "void" },
  init_mb_mgr_avx2: { parameters: ["pointer"], result: "void" },
  // Under whatever processor's name: these jump to what the manager was initialized with.
  get_next_job_sse: { parameters: ["pointer"], result: "pointer" },
  submit_job_nocheck_sse: { parameters: ["pointer"], result: "void" },
} as const satisfies Deno.ForeignLibraryInterface;

/** The opened library. */
export type Library = Deno.DynamicLibrary<typeof SYMBOLS>;
/** Its functions, as `SYMBOLS` types them. */
export type Symbols = Library["symbols"];

/** The file's names, the newest first. */
const FILES = ["libIPSec_MB.so.2", "libIPSec_MB.so.1"];
const OLDEST = 0x010300;
const NEWEST_MAJOR = 2;

/** IMB_MGR: where its features are, and what they mean. */
const FEATURES_AT = 8;
const ERRNO_AT = 60;
const FEATURE_AVX2 = 1 << 6;
/** It clears registers and stack of what was secret. */
const FEATURE_SAFE_DATA = 1 << 14;

// IMB_JOB, by words of 4 bytes. Addresses and lengths take two of them.

/** For both directions, whatever the header calls it. */
export const KEY = 0;
export const KEY_LENGTH = 4;
export const SOURCE = 6;
export const DESTINATION = 8;
export const CIPHER_LENGTH = 12;
export const HASH_LENGTH = 16;
export const IV = 18;
export const IV_LENGTH = 20;
export const TAG = 22;
export const TAG_BYTES = 24;
export const ADDITIONAL = 26;
export const STATUS = 32;
export const CIPHER_MODE = 33;
export const DIRECTION = 34;
export const HASH_ALGORITHM = 35;
export const CHAIN_ORDER = 36;
const WORDS_READ_AND_WRITTEN = 37;

// What the header's enumerations say.

export const CIPHER_CHACHA20_POLY1305 = 19;
export const AUTH_CHACHA20_POLY1305 = 29;
export const ENCRYPT = 1;
export const DECRYPT = 2;
export const CIPHER_THEN_HASH = 1;
export const HASH_THEN_CIPHER = 2;
export const COMPLETED = 3;

const TWO_32 = 2 ** 32;
/** No ring is longer; a library that goes on is not the one we know. */
const MOST_JOBS = 4096;

/** The jobs of a manager, by words of 4 bytes: where the next one begins, one's length, that of all. */
export interface Ring {
  readonly words: Uint32Array<ArrayBuffer>;
  next: number;
  readonly stride: number;
  readonly end: number;
}

/**
 * Goes round once with empty packets, from wherever the manager stands, and prepares every job.
 * Undefined if this library keeps its jobs in another way.
 */
export function learnRing(
  symbols: Symbols,
  manager: Deno.PointerObject,
  prepare: (job: Uint32Array<ArrayBuffer>) => void,
): Ring | undefined {
  const jobs: bigint[] = [];
  let pointer = symbols.get_next_job_sse(manager);
  while (pointer !== null && jobs.length < MOST_JOBS) {
    const address = Deno.UnsafePointer.value(pointer);
    if (address === jobs[0]) break;
    jobs.push(address);
    const job = wordsAt(pointer, WORDS_READ_AND_WRITTEN * 4);
    job.fill(0);
    prepare(job);
    symbols.submit_job_nocheck_sse(manager);
    pointer = symbols.get_next_job_sse(manager);
  }
  const [first = 0n] = jobs;
  const [start = 0n, second = 0n] = jobs.toSorted((one, other) => one < other ? -1 : 1);
  const stride = Number(second - start);
  const bytes = stride * jobs.length;
  const begin = Number(first - start);
  const inTurn = jobs.every((job, turn) => job === start + BigInt((begin + stride * turn) % bytes));
  const base = Deno.UnsafePointer.create(start);
  if (base === null || stride < WORDS_READ_AND_WRITTEN * 4 || !inTurn) return undefined;
  return { words: wordsAt(base, bytes), next: begin / 4, stride: stride / 4, end: bytes / 4 };
}

/** Undefined if this machine hasn't got it in a version that we know. */
export function openLibrary(): Library | undefined {
  for (const file of FILES) {
    try {
      const library = Deno.dlopen(file, SYMBOLS);
      const version = library.symbols.imb_get_version();
      if (version >= OLDEST && version >>> 16 <= NEWEST_MAJOR) return library;
      library.close();
    } catch {
      // Not there, or not with these functions: the next.
    }
  }
  return undefined;
}

/** What the library may use of a processor: all that is there, or AVX2 and nothing wider. */
export type Instructions = "widest" | "avx2";

/** Undefined if there is no memory, no fast processor, or no clearing of what was secret. */
export function openManager(
  symbols: Symbols,
  instructions: Instructions,
): Deno.PointerObject | undefined {
  const manager = symbols.alloc_mb_mgr(0n);
  if (manager === null) return undefined;
  if (instructions === "avx2") symbols.init_mb_mgr_avx2(manager);
  else symbols.init_mb_mgr_auto(manager, null);
  const view = new Deno.UnsafePointerView(manager);
  const wanted = FEATURE_AVX2 | FEATURE_SAFE_DATA;
  if (view.getInt32(ERRNO_AT) === 0 && (view.getUint32(FEATURES_AT) & wanted) === wanted) {
    return manager;
  }
  symbols.free_mb_mgr(manager);
  return undefined;
}

/** Writes an address, or a length, at `word` and the next. */
export function setAddress(job: Uint32Array<ArrayBuffer>, word: number, value: bigint): void {
  job[word] = Number(value % BigInt(TWO_32));
  job[word + 1] = Number(value / BigInt(TWO_32));
}

function wordsAt(pointer: Deno.PointerObject, bytes: number): Uint32Array<ArrayBuffer> {
  return new Uint32Array(Deno.UnsafePointerView.getArrayBuffer(pointer, bytes));
}
