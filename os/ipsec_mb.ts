/**
 * Intel's multi-buffer cryptography for IPsec (libIPSec_MB, 1.3 and later) by FFI: ChaCha20-Poly1305
 * of packets, which it does with AVX-512 in half of the time that OpenSSL takes.
 *
 * A manager holds a ring of jobs in memory of its own. A job of this kind is done when its submission
 * returns, so one after another is filled in and submitted, round and round. The offsets are those of
 * IMB_MGR and IMB_JOB in intel-ipsec-mb.h, the same in 1.x and 2.x; how long a job is and how many
 * there are differs, and is learnt.
 *
 * One `IpsecMb` belongs to one thread.
 */
import { SecretMemory } from "./secret_memory.ts";

const SYMBOLS = {
  imb_get_version: { parameters: [], result: "u32" },
  alloc_mb_mgr: { parameters: ["u64"], result: "pointer" },
  free_mb_mgr: { parameters: ["pointer"], result: "void" },
  init_mb_mgr_auto: { parameters: ["pointer", "pointer"], result: "void" },
  // Under whatever processor's name: these jump to what the manager was initialized with.
  get_next_job_sse: { parameters: ["pointer"], result: "pointer" },
  submit_job_nocheck_sse: { parameters: ["pointer"], result: "void" },
} as const satisfies Deno.ForeignLibraryInterface;

type Symbols = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];

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

/** IMB_JOB, by words of 4 bytes. Addresses and lengths take two of them. */
/** For both directions, whatever the header calls it. */
const KEY = 0;
const KEY_LENGTH = 4;
const SOURCE = 6;
const DESTINATION = 8;
const CIPHER_LENGTH = 12;
const HASH_LENGTH = 16;
const IV = 18;
const IV_LENGTH = 20;
const TAG = 22;
const TAG_BYTES = 24;
const ADDITIONAL = 26;
const STATUS = 32;
const CIPHER_MODE = 33;
const DIRECTION = 34;
const HASH_ALGORITHM = 35;
const CHAIN_ORDER = 36;
const WORDS_READ_AND_WRITTEN = 37;

const CIPHER_CHACHA20_POLY1305 = 19;
const AUTH_CHACHA20_POLY1305 = 29;
const ENCRYPT = 1;
const DECRYPT = 2;
const CIPHER_THEN_HASH = 1;
const HASH_THEN_CIPHER = 2;
const COMPLETED = 3;

const KEY_BYTES = 32;
const TAG_LENGTH = 16;
const NONCE_BYTES = 12;
const TWO_32 = 2 ** 32;
/** No ring is longer; a library that goes on is not the one we know. */
const MOST_JOBS = 4096;

/** One thread's handle on the library. */
export class IpsecMb {
  readonly #library: Deno.DynamicLibrary<typeof SYMBOLS>;

  private constructor(library: Deno.DynamicLibrary<typeof SYMBOLS>) {
    this.#library = library;
  }

  /** Undefined if this machine hasn't got the library, or a processor that it would be faster on. */
  static open(): IpsecMb | undefined {
    const library = openLibrary();
    if (library === undefined) return undefined;
    const manager = openManager(library.symbols);
    if (manager === undefined) {
      library.close();
      return undefined;
    }
    library.symbols.free_mb_mgr(manager);
    return new IpsecMb(library);
  }

  /** Encryption and decryption in place in `arena`, which must not be moved before `close`. */
  packetCipher(arena: Uint8Array<ArrayBuffer>): IpsecMbCipher {
    return new IpsecMbCipher(this.#library.symbols, arena);
  }

  /** All its ciphers must be closed before. */
  close(): void {
    this.#library.close();
  }
}

/**
 * ChaCha20-Poly1305 (RFC 8439) on one packet after another in place in `arena`, without allocating.
 * Holds a copy of the last key of each direction until `forget`, in locked memory.
 */
export class IpsecMbCipher {
  readonly #symbols: Symbols;
  readonly #arena: Uint8Array<ArrayBuffer>;
  readonly #baseLow: number;
  readonly #baseHigh: number;
  readonly #manager: Deno.PointerObject;
  readonly #ring: Ring;
  readonly #jobs: Uint32Array<ArrayBuffer>;
  /** The word at which the next job of the ring begins. */
  #next: number;
  /** Locked: two keys, then the nonce, then the tag that was computed. */
  readonly #memory: SecretMemory;
  readonly #sealingBytes: Uint8Array<ArrayBuffer>;
  readonly #openingBytes: Uint8Array<ArrayBuffer>;
  /** The low half of their addresses; the high half is one, since they lie in one page. */
  readonly #sealingLow: number;
  readonly #openingLow: number;
  readonly #nonce: Uint32Array<ArrayBuffer>;
  readonly #tag: Uint8Array<ArrayBuffer>;
  readonly #tagLow: number;
  readonly #tagHigh: number;
  #sealingKey: Uint8Array | undefined;
  #openingKey: Uint8Array | undefined;

  constructor(symbols: Symbols, arena: Uint8Array<ArrayBuffer>) {
    this.#symbols = symbols;
    this.#arena = arena;
    const base = Deno.UnsafePointer.value(Deno.UnsafePointer.of(arena));
    this.#baseLow = Number(base % BigInt(TWO_32));
    this.#baseHigh = Number(base / BigInt(TWO_32));
    const manager = openManager(symbols);
    // `IpsecMb.open` had one a moment ago, of the same library on the same processor.
    if (manager === undefined) throw new Error("Cannot encrypt packets: no memory for a manager");
    this.#manager = manager;
    this.#memory = SecretMemory.allocate(2 * KEY_BYTES + 16 + TAG_LENGTH);
    const sealing = this.#memory.take(KEY_BYTES);
    const opening = this.#memory.take(KEY_BYTES);
    const nonce = this.#memory.take(16);
    const tag = this.#memory.take(TAG_LENGTH);
    this.#sealingBytes = sealing.bytes;
    this.#openingBytes = opening.bytes;
    this.#sealingLow = Number(sealing.address % BigInt(TWO_32));
    this.#openingLow = Number(opening.address % BigInt(TWO_32));
    this.#nonce = wordsOf(nonce.bytes);
    this.#tag = tag.bytes;
    this.#tagLow = Number(tag.address % BigInt(TWO_32));
    this.#tagHigh = Number(tag.address / BigInt(TWO_32));
    this.#ring = learnRing(symbols, manager, (job) => {
      setAddress(job, KEY, sealing.address);
      setAddress(job, KEY_LENGTH, BigInt(KEY_BYTES));
      setAddress(job, SOURCE, base);
      setAddress(job, DESTINATION, base);
      setAddress(job, IV, nonce.address);
      setAddress(job, IV_LENGTH, BigInt(NONCE_BYTES));
      setAddress(job, TAG, tag.address);
      setAddress(job, TAG_BYTES, BigInt(TAG_LENGTH));
      setAddress(job, ADDITIONAL, tag.address);
      job[DIRECTION] = ENCRYPT;
      job[CHAIN_ORDER] = CIPHER_THEN_HASH;
      job[CIPHER_MODE] = CIPHER_CHACHA20_POLY1305;
      job[HASH_ALGORITHM] = AUTH_CHACHA20_POLY1305;
    });
    this.#jobs = this.#ring.words;
    this.#next = this.#ring.next;
  }

  /** Encrypts `length` bytes at `offset`, the tag behind them. */
  seal(key: Uint8Array, counter: number, offset: number, length: number): void {
    this.#checkPlace(offset, length);
    if (this.#sealingKey !== key) {
      this.#sealingBytes.set(key);
      this.#sealingKey = key;
    }
    const jobs = this.#jobs;
    const job = this.#next;
    const tagLow = this.#baseLow + offset + length;
    jobs[job + KEY] = this.#sealingLow;
    jobs[job + TAG] = tagLow;
    jobs[job + TAG + 1] = tagLow < TWO_32 ? this.#baseHigh : this.#baseHigh + 1;
    jobs[job + DIRECTION] = ENCRYPT;
    jobs[job + CHAIN_ORDER] = CIPHER_THEN_HASH;
    this.#run(job, counter, offset, length);
  }

  /** Decrypts `length` bytes at `offset`, whose tag follows them. */
  open(key: Uint8Array, counter: number, offset: number, length: number): boolean {
    this.#checkPlace(offset, length);
    if (this.#openingKey !== key) {
      this.#openingBytes.set(key);
      this.#openingKey = key;
    }
    const jobs = this.#jobs;
    const job = this.#next;
    jobs[job + KEY] = this.#openingLow;
    jobs[job + TAG] = this.#tagLow;
    jobs[job + TAG + 1] = this.#tagHigh;
    jobs[job + DIRECTION] = DECRYPT;
    jobs[job + CHAIN_ORDER] = HASH_THEN_CIPHER;
    this.#run(job, counter, offset, length);
    // All of it is looked at, whatever differs: time tells nothing of where.
    const arena = this.#arena;
    const tag = this.#tag;
    const end = offset + length;
    let difference = 0;
    for (let index = 0; index < TAG_LENGTH; index++) {
      difference |= (arena[end + index] ?? 0) ^ (tag[index] ?? 0);
    }
    return difference === 0;
  }

  /** Overwrites the copies of keys. */
  forget(): void {
    this.#sealingKey = undefined;
    this.#openingKey = undefined;
    this.#sealingBytes.fill(0);
    this.#openingBytes.fill(0);
  }

  close(): void {
    this.forget();
    this.#memory.free();
    this.#symbols.free_mb_mgr(this.#manager);
  }

  #run(job: number, counter: number, offset: number, length: number): void {
    const jobs = this.#jobs;
    const low = this.#baseLow + offset;
    const high = low < TWO_32 ? this.#baseHigh : this.#baseHigh + 1;
    jobs[job + SOURCE] = low;
    jobs[job + SOURCE + 1] = high;
    jobs[job + DESTINATION] = low;
    jobs[job + DESTINATION + 1] = high;
    jobs[job + CIPHER_LENGTH] = length;
    jobs[job + HASH_LENGTH] = length;
    // The nonce is 4 zero bytes, then the counter (whitepaper 5.4.6).
    this.#nonce[1] = counter;
    this.#nonce[2] = Math.floor(counter / TWO_32);
    this.#symbols.submit_job_nocheck_sse(this.#manager);
    if (jobs[job + STATUS] !== COMPLETED) {
      throw new Error("Cannot run cipher: the library left the job undone");
    }
    const next = job + this.#ring.stride;
    this.#next = next === this.#ring.end ? 0 : next;
  }

  /** The library reads and writes where it is told: outside the arena that would be anybody's memory. */
  #checkPlace(offset: number, length: number): void {
    if (offset < 0 || length < 0 || offset + length + TAG_LENGTH > this.#arena.length) {
      throw new RangeError("Cannot run cipher: the packet would lie outside the arena");
    }
  }
}

/** The jobs of a manager, by words of 4 bytes: the one to begin with, one's length, that of all. */
interface Ring {
  readonly words: Uint32Array<ArrayBuffer>;
  readonly next: number;
  readonly stride: number;
  readonly end: number;
}

/** Goes round once with empty packets, from wherever the manager stands, and prepares every job. */
function learnRing(
  symbols: Symbols,
  manager: Deno.PointerObject,
  prepare: (job: Uint32Array<ArrayBuffer>) => void,
): Ring {
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
  if (base === null || stride < WORDS_READ_AND_WRITTEN * 4 || !inTurn) {
    throw new Error("Cannot encrypt packets: this libIPSec_MB keeps its jobs in another way");
  }
  return { words: wordsAt(base, bytes), next: begin / 4, stride: stride / 4, end: bytes / 4 };
}

function openLibrary(): Deno.DynamicLibrary<typeof SYMBOLS> | undefined {
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

/** Undefined if there is no memory, no fast processor, or no clearing of what was secret. */
function openManager(symbols: Symbols): Deno.PointerObject | undefined {
  const manager = symbols.alloc_mb_mgr(0n);
  if (manager === null) return undefined;
  symbols.init_mb_mgr_auto(manager, null);
  const view = new Deno.UnsafePointerView(manager);
  const wanted = FEATURE_AVX2 | FEATURE_SAFE_DATA;
  if (view.getInt32(ERRNO_AT) === 0 && (view.getUint32(FEATURES_AT) & wanted) === wanted) {
    return manager;
  }
  symbols.free_mb_mgr(manager);
  return undefined;
}

function setAddress(job: Uint32Array<ArrayBuffer>, word: number, value: bigint): void {
  job[word] = Number(value % BigInt(TWO_32));
  job[word + 1] = Number(value / BigInt(TWO_32));
}

function wordsAt(pointer: Deno.PointerObject, bytes: number): Uint32Array<ArrayBuffer> {
  return new Uint32Array(Deno.UnsafePointerView.getArrayBuffer(pointer, bytes));
}

function wordsOf(bytes: Uint8Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  return new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
}
