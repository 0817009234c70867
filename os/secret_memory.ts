/**
 * Native memory for long-lived secrets: mapped, locked into RAM, left out of core dumps, wiped
 * before it is returned. Source: mmap(2), mlock(2), madvise(2) MADV_DONTDUMP and MADV_DONTFORK.
 */
const libc = Deno.dlopen("libc.so.6", {
  mmap: { parameters: ["pointer", "usize", "i32", "i32", "i32", "i64"], result: "pointer" },
  munmap: { parameters: ["pointer", "usize"], result: "i32" },
  mlock: { parameters: ["pointer", "usize"], result: "i32" },
  madvise: { parameters: ["pointer", "usize", "i32"], result: "i32" },
  explicit_bzero: { parameters: ["pointer", "usize"], result: "void" },
});

const PAGE_BYTES = 4096;
const PROT_READ_WRITE = 0x1 | 0x2;
const MAP_PRIVATE_ANONYMOUS = 0x02 | 0x20;
const MADV_DONTFORK = 10;
const MADV_DONTDUMP = 16;
const MAP_FAILED = 0xffffffffffffffffn;

/** One mapping. `bytes` looks straight at the native memory: copy out of it only what must leave. */
export class SecretMemory {
  /** Address of the first byte, to be handed to FFI or to a worker of the same process. */
  readonly address: bigint;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #pointer: Deno.PointerObject;
  readonly #mapped: number;
  #used = 0;
  #freed = false;

  private constructor(pointer: Deno.PointerObject, size: number, mapped: number) {
    this.#pointer = pointer;
    this.#mapped = mapped;
    this.address = Deno.UnsafePointer.value(pointer);
    this.bytes = new Uint8Array(Deno.UnsafePointerView.getArrayBuffer(pointer, size));
  }

  /**
   * Maps at least `size` bytes (whole pages), zeroed.
   * @throws {Error} when the kernel refuses the mapping or the lock (RLIMIT_MEMLOCK).
   */
  static allocate(size: number): SecretMemory {
    if (!Number.isSafeInteger(size) || size <= 0) {
      throw new RangeError(`Cannot map secret memory: ${size} bytes asked`);
    }
    const mapped = Math.ceil(size / PAGE_BYTES) * PAGE_BYTES;
    const pointer = libc.symbols.mmap(
      null,
      BigInt(mapped),
      PROT_READ_WRITE,
      MAP_PRIVATE_ANONYMOUS,
      -1,
      0n,
    );
    if (pointer === null || Deno.UnsafePointer.value(pointer) === MAP_FAILED) {
      throw new Error(`Cannot map secret memory: the kernel refused ${mapped} bytes`);
    }
    if (libc.symbols.mlock(pointer, BigInt(mapped)) !== 0) {
      libc.symbols.munmap(pointer, BigInt(mapped));
      throw new Error(
        `Cannot lock secret memory: the kernel refused ${mapped} bytes; ` +
          `raise RLIMIT_MEMLOCK (LimitMEMLOCK= in a systemd unit)`,
      );
    }
    libc.symbols.madvise(pointer, BigInt(mapped), MADV_DONTDUMP);
    libc.symbols.madvise(pointer, BigInt(mapped), MADV_DONTFORK);
    return new SecretMemory(pointer, size, mapped);
  }

  /** Hands out the next `size` bytes, 16-byte aligned, as an address and a view. */
  take(size: number): { address: bigint; bytes: Uint8Array<ArrayBuffer> } {
    const start = Math.ceil(this.#used / 16) * 16;
    if (start + size > this.bytes.length) {
      throw new RangeError(
        `Cannot take ${size} bytes of secret memory: ${this.bytes.length - start} left`,
      );
    }
    this.#used = start + size;
    return {
      address: this.address + BigInt(start),
      bytes: this.bytes.subarray(start, start + size),
    };
  }

  /** Overwrites everything with zeros; what was taken stays taken. */
  wipe(): void {
    if (this.#freed) return;
    libc.symbols.explicit_bzero(this.#pointer, BigInt(this.#mapped));
  }

  /** Wipes and unmaps. Every view and address is dead afterwards. */
  free(): void {
    if (this.#freed) return;
    this.wipe();
    this.#freed = true;
    libc.symbols.munmap(this.#pointer, BigInt(this.#mapped));
  }

  [Symbol.dispose](): void {
    this.free();
  }
}

/** A view on `length` bytes at a native address of this process, for workers handed an address. */
export function viewNative(address: bigint, length: number): Uint8Array<ArrayBuffer> {
  const pointer = Deno.UnsafePointer.create(address);
  if (pointer === null) throw new RangeError("Cannot view native memory: the address is null");
  return new Uint8Array(Deno.UnsafePointerView.getArrayBuffer(pointer, length));
}
