/**
 * The functions of OpenSSL's libcrypto 3 that we call, and what calling them takes. A `size_t` is
 * declared as a pointer (the same to every 64-bit ABI), made once for each length: as a number it
 * would cost ten times as much as any other argument.
 */
const SYMBOLS = {
  OpenSSL_version_num: { parameters: [], result: "u64" },
  OPENSSL_init_crypto: { parameters: ["u64", "pointer"], result: "i32" },
  CRYPTO_secure_malloc_init: { parameters: ["usize", "usize"], result: "i32" },

  EVP_MD_fetch: { parameters: ["pointer", "buffer", "pointer"], result: "pointer" },
  EVP_MD_CTX_new: { parameters: [], result: "pointer" },
  EVP_MD_CTX_free: { parameters: ["pointer"], result: "void" },
  EVP_DigestInit_ex: { parameters: ["pointer", "pointer", "pointer"], result: "i32" },
  EVP_DigestUpdate: { parameters: ["pointer", "buffer", "pointer"], result: "i32" },
  EVP_DigestFinal_ex: { parameters: ["pointer", "buffer", "pointer"], result: "i32" },

  EVP_MAC_fetch: { parameters: ["pointer", "buffer", "pointer"], result: "pointer" },
  EVP_MAC_CTX_new: { parameters: ["pointer"], result: "pointer" },
  EVP_MAC_CTX_free: { parameters: ["pointer"], result: "void" },
  EVP_MAC_CTX_set_params: { parameters: ["pointer", "buffer"], result: "i32" },
  EVP_MAC_init: { parameters: ["pointer", "buffer", "pointer", "pointer"], result: "i32" },
  EVP_MAC_update: { parameters: ["pointer", "buffer", "pointer"], result: "i32" },
  EVP_MAC_final: { parameters: ["pointer", "buffer", "pointer", "pointer"], result: "i32" },

  EVP_PKEY_new_raw_private_key: {
    parameters: ["i32", "pointer", "buffer", "pointer"],
    result: "pointer",
  },
  EVP_PKEY_new_raw_public_key: {
    parameters: ["i32", "pointer", "buffer", "pointer"],
    result: "pointer",
  },
  EVP_PKEY_set1_encoded_public_key: {
    parameters: ["pointer", "buffer", "pointer"],
    result: "i32",
  },
  EVP_PKEY_get_raw_public_key: { parameters: ["pointer", "buffer", "buffer"], result: "i32" },
  EVP_PKEY_dup: { parameters: ["pointer"], result: "pointer" },
  EVP_PKEY_free: { parameters: ["pointer"], result: "void" },
  EVP_PKEY_CTX_new: { parameters: ["pointer", "pointer"], result: "pointer" },
  EVP_PKEY_CTX_free: { parameters: ["pointer"], result: "void" },
  EVP_PKEY_derive_init: { parameters: ["pointer"], result: "i32" },
  EVP_PKEY_derive_set_peer_ex: { parameters: ["pointer", "pointer", "i32"], result: "i32" },
  EVP_PKEY_derive: { parameters: ["pointer", "buffer", "buffer"], result: "i32" },

  EVP_CIPHER_fetch: { parameters: ["pointer", "buffer", "pointer"], result: "pointer" },
  EVP_CIPHER_CTX_new: { parameters: [], result: "pointer" },
  EVP_CIPHER_CTX_free: { parameters: ["pointer"], result: "void" },
  EVP_CIPHER_CTX_get_params: { parameters: ["pointer", "pointer"], result: "i32" },
  EVP_EncryptInit_ex2: {
    parameters: ["pointer", "pointer", "pointer", "pointer", "pointer"],
    result: "i32",
  },
  EVP_EncryptUpdate: {
    parameters: ["pointer", "pointer", "pointer", "pointer", "i32"],
    result: "i32",
  },
  EVP_EncryptFinal_ex: { parameters: ["pointer", "pointer", "pointer"], result: "i32" },
  EVP_DecryptInit_ex2: {
    parameters: ["pointer", "pointer", "pointer", "pointer", "pointer"],
    result: "i32",
  },
  EVP_DecryptUpdate: {
    parameters: ["pointer", "pointer", "pointer", "pointer", "i32"],
    result: "i32",
  },
  EVP_DecryptFinal_ex: { parameters: ["pointer", "pointer", "pointer"], result: "i32" },
  sealWithKey: {
    name: "EVP_EncryptInit_ex2",
    parameters: ["pointer", "pointer", "buffer", "pointer", "pointer"],
    result: "i32",
  },
  openWithKey: {
    name: "EVP_DecryptInit_ex2",
    parameters: ["pointer", "pointer", "buffer", "pointer", "pointer"],
    result: "i32",
  },
  sealAdditional: {
    name: "EVP_EncryptUpdate",
    parameters: ["pointer", "pointer", "pointer", "buffer", "i32"],
    result: "i32",
  },
  sealBuffers: {
    name: "EVP_EncryptUpdate",
    parameters: ["pointer", "buffer", "pointer", "buffer", "i32"],
    result: "i32",
  },
  openAdditional: {
    name: "EVP_DecryptUpdate",
    parameters: ["pointer", "pointer", "pointer", "buffer", "i32"],
    result: "i32",
  },
  openBuffers: {
    name: "EVP_DecryptUpdate",
    parameters: ["pointer", "buffer", "pointer", "buffer", "i32"],
    result: "i32",
  },
} as const satisfies Deno.ForeignLibraryInterface;

/** The opened library. */
export type Library = Deno.DynamicLibrary<typeof SYMBOLS>;
/** Its functions, as `SYMBOLS` types them. */
export type Symbols = Library["symbols"];

const VERSION_3 = 0x30000000n;
/** OPENSSL_INIT_NO_ATEXIT of crypto.h. */
const NO_CLEANUP_AT_EXIT = 0x80000n;
const SECURE_HEAP_BYTES = 65536n;
const SECURE_HEAP_UNIT = 32n;

/** Undefined if there is no libcrypto 3 on this machine. */
export function openLibrary(): Library | undefined {
  let library: Library;
  try {
    library = Deno.dlopen("libcrypto.so.3", SYMBOLS);
  } catch {
    return undefined;
  }
  if (library.symbols.OpenSSL_version_num() < VERSION_3) return undefined;
  // Other threads may be in the library when the process exits: its clean-up would free under them.
  library.symbols.OPENSSL_init_crypto(NO_CLEANUP_AT_EXIT, null);
  // Refused if it is there already, from another thread: which is as good.
  library.symbols.CRYPTO_secure_malloc_init(SECURE_HEAP_BYTES, SECURE_HEAP_UNIT);
  return library;
}

/** `text` as C has it. */
export function cString(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${text}\0`);
}

/** A `size_t` argument. */
export function size(length: number): Deno.PointerValue {
  const known = SIZES[length];
  return known === undefined ? pointerOf(length) : known;
}

/** Longer than anything that a handshake hashes. */
const SIZES = Array.from({ length: 256 }, (_, length) => pointerOf(length));

function pointerOf(length: number): Deno.PointerValue {
  return Deno.UnsafePointer.create(BigInt(length));
}

/** FFI takes views of ordinary buffers only, never of shared ones: all of ours are. */
export function buffer(view: Uint8Array): Uint8Array<ArrayBuffer> {
  return view as Uint8Array<ArrayBuffer>;
}

/** From OpenSSL's core.h and params.h. */
export const PARAM_UNSIGNED_INTEGER = 2;
export const PARAM_OCTET_STRING = 5;

/**
 * Memory that doesn't move, by words of 8 bytes: for what native code gets by address. Whoever has
 * such an address must keep the block.
 */
export class NativeBlock {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly words: Uint32Array<ArrayBuffer>;
  readonly #wide: BigUint64Array<ArrayBuffer>;
  readonly #address: bigint;

  constructor(words: number) {
    const memory = new ArrayBuffer(words * 8);
    this.bytes = new Uint8Array(memory);
    this.words = new Uint32Array(memory);
    this.#wide = new BigUint64Array(memory);
    this.#address = Deno.UnsafePointer.value(Deno.UnsafePointer.of(this.bytes));
  }

  pointer(word: number): Deno.PointerValue {
    return Deno.UnsafePointer.create(this.#address + BigInt(word * 8));
  }

  /** Writes an OSSL_PARAM of 5 words at `word`, and the end mark (5 zero words must follow). */
  writeParam(
    word: number,
    param: { nameAt: number; type: number; dataAt: number; length: number },
  ): void {
    this.#wide[word] = this.#address + BigInt(param.nameAt * 8);
    this.words[2 * (word + 1)] = param.type;
    this.#wide[word + 2] = this.#address + BigInt(param.dataAt * 8);
    this.#wide[word + 3] = BigInt(param.length);
  }
}
