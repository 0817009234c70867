/**
 * OpenSSL's libcrypto (3.0 and later) by FFI: X25519, BLAKE2s, HMAC-BLAKE2s and
 * ChaCha20-Poly1305. Everything works on views of memory that the caller owns. Private keys that
 * OpenSSL must hold lie in its secure heap (locked, wiped on free).
 *
 * One `Libcrypto` belongs to one thread.
 */
const SYMBOLS = {
  OpenSSL_version_num: { parameters: [], result: "u64" },
  CRYPTO_secure_malloc_init: { parameters: ["usize", "usize"], result: "i32" },
  EVP_blake2s256: { parameters: [], result: "pointer" },
  EVP_chacha20_poly1305: { parameters: [], result: "pointer" },
  EVP_Digest: {
    parameters: ["buffer", "usize", "buffer", "pointer", "pointer", "pointer"],
    result: "i32",
  },
  HMAC: {
    parameters: ["pointer", "buffer", "i32", "buffer", "usize", "buffer", "buffer"],
    result: "pointer",
  },
  EVP_PKEY_new_raw_private_key: {
    parameters: ["i32", "pointer", "buffer", "usize"],
    result: "pointer",
  },
  EVP_PKEY_new_raw_public_key: {
    parameters: ["i32", "pointer", "buffer", "usize"],
    result: "pointer",
  },
  EVP_PKEY_get_raw_public_key: { parameters: ["pointer", "buffer", "buffer"], result: "i32" },
  EVP_PKEY_free: { parameters: ["pointer"], result: "void" },
  EVP_PKEY_CTX_new: { parameters: ["pointer", "pointer"], result: "pointer" },
  EVP_PKEY_CTX_free: { parameters: ["pointer"], result: "void" },
  EVP_PKEY_derive_init: { parameters: ["pointer"], result: "i32" },
  EVP_PKEY_derive_set_peer: { parameters: ["pointer", "pointer"], result: "i32" },
  EVP_PKEY_derive: { parameters: ["pointer", "buffer", "buffer"], result: "i32" },
  EVP_CIPHER_CTX_new: { parameters: [], result: "pointer" },
  EVP_CIPHER_CTX_free: { parameters: ["pointer"], result: "void" },
  initCipher: {
    name: "EVP_CipherInit_ex",
    parameters: ["pointer", "pointer", "pointer", "buffer", "buffer", "i32"],
    result: "i32",
  },
  initNonce: {
    name: "EVP_CipherInit_ex",
    parameters: ["pointer", "pointer", "pointer", "pointer", "buffer", "i32"],
    result: "i32",
  },
  updateInPlace: {
    name: "EVP_CipherUpdate",
    parameters: ["pointer", "pointer", "buffer", "pointer", "i32"],
    result: "i32",
  },
  update: {
    name: "EVP_CipherUpdate",
    parameters: ["pointer", "buffer", "buffer", "buffer", "i32"],
    result: "i32",
  },
  additional: {
    name: "EVP_CipherUpdate",
    parameters: ["pointer", "pointer", "buffer", "buffer", "i32"],
    result: "i32",
  },
  final: {
    name: "EVP_CipherFinal_ex",
    parameters: ["pointer", "buffer", "buffer"],
    result: "i32",
  },
  EVP_CIPHER_CTX_ctrl: { parameters: ["pointer", "i32", "i32", "buffer"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

type Library = Deno.DynamicLibrary<typeof SYMBOLS>;

/** From OpenSSL's evp.h and obj_mac.h. */
const EVP_PKEY_X25519 = 1034;
const CTRL_AEAD_GET_TAG = 0x10;
const CTRL_AEAD_SET_TAG = 0x11;
const VERSION_3 = 0x30000000n;

const TAG_LENGTH = 16;
const KEY_LENGTH = 32n;
const SECURE_HEAP_BYTES = 65536n;
const SECURE_HEAP_UNIT = 32n;
const ZERO_KEY = new Uint8Array(32);
const EMPTY_HMAC_KEY = new Uint8Array(1);

/** One thread's handle on libcrypto 3: what WireGuard needs of it. */
export class Libcrypto {
  readonly #library: Library;
  readonly #blake2s: Deno.PointerValue;
  readonly #cipher: Cipher;
  /** A size_t and an int that functions write lengths to. */
  readonly #sizeOut = new BigUint64Array(1);
  readonly #intOut = new Int32Array(4);
  readonly #joined = new Uint8Array(256);

  private constructor(library: Library) {
    this.#library = library;
    this.#blake2s = library.symbols.EVP_blake2s256();
    this.#cipher = new Cipher(library);
  }

  /** Undefined if there is no libcrypto 3 on this machine. */
  static open(): Libcrypto | undefined {
    let library: Library;
    try {
      library = Deno.dlopen("libcrypto.so.3", SYMBOLS);
    } catch {
      return undefined;
    }
    if (library.symbols.OpenSSL_version_num() < VERSION_3) return undefined;
    // Refused if it is there already, from another thread: which is as good.
    library.symbols.CRYPTO_secure_malloc_init(SECURE_HEAP_BYTES, SECURE_HEAP_UNIT);
    return new Libcrypto(library);
  }

  /** RFC 7748. */
  x25519PublicKey(out: Uint8Array, privateKey: Uint8Array): void {
    const { symbols } = this.#library;
    const key = this.#privateKey(privateKey);
    this.#sizeOut[0] = KEY_LENGTH;
    symbols.EVP_PKEY_get_raw_public_key(key, buffer(out), this.#sizeOut);
    symbols.EVP_PKEY_free(key);
  }

  /** False for a point of low order. */
  x25519(out: Uint8Array, privateKey: Uint8Array, publicKey: Uint8Array): boolean {
    const { symbols } = this.#library;
    const key = this.#privateKey(privateKey);
    const peer = symbols.EVP_PKEY_new_raw_public_key(
      EVP_PKEY_X25519,
      null,
      buffer(publicKey),
      KEY_LENGTH,
    );
    const context = symbols.EVP_PKEY_CTX_new(key, null);
    this.#sizeOut[0] = KEY_LENGTH;
    const done = symbols.EVP_PKEY_derive_init(context) === 1 &&
      symbols.EVP_PKEY_derive_set_peer(context, peer) === 1 &&
      symbols.EVP_PKEY_derive(context, buffer(out), this.#sizeOut) === 1;
    symbols.EVP_PKEY_CTX_free(context);
    symbols.EVP_PKEY_free(peer);
    symbols.EVP_PKEY_free(key);
    return done;
  }

  /** BLAKE2s-256 of two parts joined, together at most 256 bytes. `out` may be one of them. */
  blake2s(out: Uint8Array, a: Uint8Array, b: Uint8Array): void {
    const length = a.length + b.length;
    this.#joined.set(a);
    this.#joined.set(b, a.length);
    this.#library.symbols.EVP_Digest(
      this.#joined,
      BigInt(length),
      buffer(out),
      null,
      this.#blake2s,
      null,
    );
    this.#joined.fill(0, 0, length);
  }

  /** HMAC-BLAKE2s-256. */
  hmacBlake2s(out: Uint8Array, key: Uint8Array, data: Uint8Array): void {
    // OpenSSL takes an empty key for "the last key"; a zero byte means the same to HMAC.
    const given = key.length === 0 ? EMPTY_HMAC_KEY : buffer(key);
    this.#library.symbols.HMAC(
      this.#blake2s,
      given,
      given.length,
      buffer(data),
      BigInt(data.length),
      buffer(out),
      this.#intOut,
    );
  }

  /** ChaCha20-Poly1305 (RFC 8439); `out` takes the tag too. */
  seal(
    out: Uint8Array,
    parts: { key: Uint8Array; nonce: Uint8Array; plaintext: Uint8Array; ad: Uint8Array },
  ): void {
    this.#cipher.run(out, { ...parts, input: parts.plaintext, encrypt: true });
  }

  open(
    out: Uint8Array,
    parts: { key: Uint8Array; nonce: Uint8Array; sealed: Uint8Array; ad: Uint8Array },
  ): boolean {
    return this.#cipher.run(out, { ...parts, input: parts.sealed, encrypt: false });
  }

  /** Encryption and decryption in place in `arena`, which must not be moved or freed before `close`. */
  packetCipher(arena: Uint8Array<ArrayBuffer>): PacketCipher {
    return new PacketCipher(this.#library, arena);
  }

  /** Wipes and frees what OpenSSL holds for this object. */
  close(): void {
    this.#cipher.close();
    this.#library.close();
  }

  #privateKey(privateKey: Uint8Array): Deno.PointerValue {
    return this.#library.symbols.EVP_PKEY_new_raw_private_key(
      EVP_PKEY_X25519,
      null,
      buffer(privateKey),
      KEY_LENGTH,
    );
  }
}

class Cipher {
  readonly #symbols: Library["symbols"];
  readonly #context: Deno.PointerValue;
  readonly #lengthOut = new Int32Array(4);

  constructor(library: Library) {
    this.#symbols = library.symbols;
    this.#context = library.symbols.EVP_CIPHER_CTX_new();
    this.#symbols.initCipher(
      this.#context,
      library.symbols.EVP_chacha20_poly1305(),
      null,
      ZERO_KEY,
      new Uint8Array(12),
      1,
    );
  }

  run(
    out: Uint8Array,
    parts: {
      key: Uint8Array;
      nonce: Uint8Array;
      input: Uint8Array;
      ad: Uint8Array;
      encrypt: boolean;
    },
  ): boolean {
    const { key, nonce, input, ad, encrypt } = parts;
    const symbols = this.#symbols;
    const context = this.#context;
    const length = encrypt ? input.length : input.length - TAG_LENGTH;
    symbols.initCipher(context, null, null, buffer(key), buffer(nonce), encrypt ? 1 : 0);
    if (ad.length > 0) {
      symbols.additional(context, null, this.#lengthOut, buffer(ad), ad.length);
    }
    if (length > 0) {
      symbols.update(context, buffer(out), this.#lengthOut, buffer(input), length);
    }
    if (!encrypt) {
      const tag = input.slice(length);
      symbols.EVP_CIPHER_CTX_ctrl(context, CTRL_AEAD_SET_TAG, TAG_LENGTH, tag);
    }
    const done = symbols.final(context, this.#lengthOut, this.#lengthOut) === 1;
    if (encrypt) {
      symbols.EVP_CIPHER_CTX_ctrl(
        context,
        CTRL_AEAD_GET_TAG,
        TAG_LENGTH,
        buffer(out.subarray(length)),
      );
    }
    // So that no key stays in OpenSSL's memory.
    symbols.initCipher(context, null, null, ZERO_KEY, new Uint8Array(12), 1);
    return done;
  }

  close(): void {
    this.#symbols.EVP_CIPHER_CTX_free(this.#context);
  }
}

/** One packet after another, without allocating. Holds a copy of the last key of each direction until `forget`. */
export class PacketCipher {
  readonly #symbols: Library["symbols"];
  readonly #arena: Uint8Array<ArrayBuffer>;
  readonly #base: bigint;
  /** Pointers into the arena at steps of 16 bytes, made when first needed. */
  readonly #pointers: Deno.PointerValue[];
  readonly #sealing: Deno.PointerValue;
  readonly #opening: Deno.PointerValue;
  #sealingKey: Uint8Array | undefined;
  #openingKey: Uint8Array | undefined;
  readonly #nonce = new Uint8Array(12);
  readonly #tag = new Uint8Array(TAG_LENGTH);
  readonly #lengthOut = new Int32Array(4);

  constructor(library: Library, arena: Uint8Array<ArrayBuffer>) {
    const { symbols } = library;
    this.#symbols = symbols;
    this.#arena = arena;
    this.#base = Deno.UnsafePointer.value(Deno.UnsafePointer.of(arena));
    this.#pointers = new Array(Math.ceil(arena.length / 16)).fill(null);
    const cipher = symbols.EVP_chacha20_poly1305();
    this.#sealing = symbols.EVP_CIPHER_CTX_new();
    this.#opening = symbols.EVP_CIPHER_CTX_new();
    symbols.initCipher(this.#sealing, cipher, null, ZERO_KEY, this.#nonce, 1);
    symbols.initCipher(this.#opening, cipher, null, ZERO_KEY, this.#nonce, 0);
  }

  /** Encrypts `length` bytes at `offset` (a multiple of 16), the tag behind them. */
  seal(key: Uint8Array, counter: number, offset: number, length: number): void {
    const symbols = this.#symbols;
    const context = this.#sealing;
    this.#setCounter(counter);
    if (this.#sealingKey === key) {
      symbols.initNonce(context, null, null, null, this.#nonce, 1);
    } else {
      symbols.initCipher(context, null, null, buffer(key), this.#nonce, 1);
      this.#sealingKey = key;
    }
    const pointer = this.#pointer(offset);
    if (length > 0) symbols.updateInPlace(context, pointer, this.#lengthOut, pointer, length);
    symbols.final(context, this.#tag, this.#lengthOut);
    symbols.EVP_CIPHER_CTX_ctrl(context, CTRL_AEAD_GET_TAG, TAG_LENGTH, this.#tag);
    const end = offset + length;
    for (let index = 0; index < TAG_LENGTH; index++) {
      this.#arena[end + index] = this.#tag[index] ?? 0;
    }
  }

  /** Decrypts `length` bytes at `offset` (a multiple of 16), whose tag follows them. */
  open(key: Uint8Array, counter: number, offset: number, length: number): boolean {
    const symbols = this.#symbols;
    const context = this.#opening;
    this.#setCounter(counter);
    if (this.#openingKey === key) {
      symbols.initNonce(context, null, null, null, this.#nonce, 0);
    } else {
      symbols.initCipher(context, null, null, buffer(key), this.#nonce, 0);
      this.#openingKey = key;
    }
    const end = offset + length;
    for (let index = 0; index < TAG_LENGTH; index++) {
      this.#tag[index] = this.#arena[end + index] ?? 0;
    }
    symbols.EVP_CIPHER_CTX_ctrl(context, CTRL_AEAD_SET_TAG, TAG_LENGTH, this.#tag);
    const pointer = this.#pointer(offset);
    if (length > 0) symbols.updateInPlace(context, pointer, this.#lengthOut, pointer, length);
    return symbols.final(context, this.#tag, this.#lengthOut) === 1;
  }

  /** Overwrites the copies of keys. */
  forget(): void {
    this.#symbols.initCipher(this.#sealing, null, null, ZERO_KEY, this.#nonce, 1);
    this.#symbols.initCipher(this.#opening, null, null, ZERO_KEY, this.#nonce, 0);
    this.#sealingKey = undefined;
    this.#openingKey = undefined;
  }

  close(): void {
    this.#symbols.EVP_CIPHER_CTX_free(this.#sealing);
    this.#symbols.EVP_CIPHER_CTX_free(this.#opening);
  }

  #pointer(offset: number): Deno.PointerValue {
    const position = offset >>> 4;
    const known = this.#pointers[position];
    if (known !== null && known !== undefined) return known;
    const made = Deno.UnsafePointer.create(this.#base + BigInt(offset));
    this.#pointers[position] = made;
    return made;
  }

  #setCounter(counter: number): void {
    const nonce = this.#nonce;
    nonce[4] = counter;
    nonce[5] = counter >>> 8;
    nonce[6] = counter >>> 16;
    nonce[7] = counter >>> 24;
    const high = Math.floor(counter / 2 ** 32);
    nonce[8] = high;
    nonce[9] = high >>> 8;
    nonce[10] = high >>> 16;
    nonce[11] = high >>> 24;
  }
}

/** FFI takes views of ordinary buffers only, never of shared ones: all of ours are. */
function buffer(view: Uint8Array): Uint8Array<ArrayBuffer> {
  return view as Uint8Array<ArrayBuffer>;
}
