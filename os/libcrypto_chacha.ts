/**
 * ChaCha20-Poly1305 (RFC 8439) by libcrypto's EVP, in as few calls as it takes: the nonce and, for
 * opening, the tag go in with the init; everything is told by pointers that were made once.
 */
import {
  buffer,
  cString,
  type Library,
  NativeBlock,
  PARAM_OCTET_STRING,
  type Symbols,
} from "./libcrypto_symbols.ts";

const TAG_LENGTH = 16;
const ZERO_KEY = new Uint8Array(32);
const TWO_32 = 2 ** 32;

/** Words of 8 bytes in the block that OpenSSL reads and writes. */
const PARAM = 0;
const NAME = 10;
const NONCE = 11;
const LENGTH_OUT = 13;
const BLOCK_WORDS = 14;
/** Where in the block's 32-bit words the address of the tag is. */
const TAG_LOW = (PARAM + 2) * 2;
const TAG_HIGH = TAG_LOW + 1;
/** The nonce is 4 zero bytes, then the counter (whitepaper 5.4.6). */
const NONCE_LOW = NONCE * 2 + 1;
const NONCE_HIGH = NONCE * 2 + 2;

/** Undefined if this libcrypto was built or configured without. */
export function fetchChaCha({ symbols }: Library): Deno.PointerValue {
  return symbols.EVP_CIPHER_fetch(null, cString("ChaCha20-Poly1305"), null);
}

/**
 * One packet after another in place in `arena`, without allocating. Holds a copy of the last key of
 * each direction until `forget`.
 */
export class PacketCipher {
  readonly #symbols: Symbols;
  /** Keeps the memory alive to which the pointers lead. */
  readonly #arena: Uint8Array<ArrayBuffer>;
  readonly #block = new NativeBlock(BLOCK_WORDS);
  readonly #words = this.#block.words;
  readonly #base: bigint;
  readonly #baseLow: number;
  readonly #baseHigh: number;
  /** Pointers into the arena at steps of 16 bytes, made when first needed. */
  readonly #pointers: Deno.PointerValue[];
  readonly #sealing: Deno.PointerValue;
  readonly #opening: Deno.PointerValue;
  readonly #param = this.#block.pointer(PARAM);
  readonly #nonce = this.#block.pointer(NONCE);
  readonly #lengthOut = this.#block.pointer(LENGTH_OUT);
  #sealingKey: Uint8Array | undefined;
  #openingKey: Uint8Array | undefined;

  constructor(
    symbols: Symbols,
    { arena, cipher }: { arena: Uint8Array<ArrayBuffer>; cipher: Deno.PointerValue },
  ) {
    this.#symbols = symbols;
    this.#arena = arena;
    this.#base = Deno.UnsafePointer.value(Deno.UnsafePointer.of(arena));
    this.#baseLow = Number(this.#base % BigInt(TWO_32));
    this.#baseHigh = Number(this.#base / BigInt(TWO_32));
    this.#pointers = new Array(Math.ceil(arena.length / 16)).fill(null);
    this.#block.bytes.set(cString("tag"), NAME * 8);
    this.#block.writeParam(PARAM, {
      nameAt: NAME,
      type: PARAM_OCTET_STRING,
      dataAt: NONCE,
      length: TAG_LENGTH,
    });
    this.#sealing = symbols.EVP_CIPHER_CTX_new();
    this.#opening = symbols.EVP_CIPHER_CTX_new();
    symbols.sealWithKey(this.#sealing, cipher, ZERO_KEY, this.#nonce, null);
    symbols.openWithKey(this.#opening, cipher, ZERO_KEY, this.#nonce, null);
  }

  /** Encrypts `length` bytes at `offset` (a multiple of 16), the tag behind them. */
  seal(key: Uint8Array, counter: number, offset: number, length: number): void {
    const symbols = this.#symbols;
    const context = this.#sealing;
    this.#setCounter(counter);
    this.#setTagPlace(offset + length);
    if (this.#sealingKey === key) {
      symbols.EVP_EncryptInit_ex2(context, null, null, this.#nonce, null);
    } else {
      symbols.sealWithKey(context, null, buffer(key), this.#nonce, null);
      this.#sealingKey = key;
    }
    const pointer = this.#pointer(offset);
    if (length > 0) {
      symbols.EVP_EncryptUpdate(context, pointer, this.#lengthOut, pointer, length);
    }
    symbols.EVP_EncryptFinal_ex(context, this.#lengthOut, this.#lengthOut);
    symbols.EVP_CIPHER_CTX_get_params(context, this.#param);
  }

  /** Decrypts `length` bytes at `offset` (a multiple of 16), whose tag follows them. */
  open(key: Uint8Array, counter: number, offset: number, length: number): boolean {
    const symbols = this.#symbols;
    const context = this.#opening;
    this.#setCounter(counter);
    this.#setTagPlace(offset + length);
    if (this.#openingKey === key) {
      symbols.EVP_DecryptInit_ex2(context, null, null, this.#nonce, this.#param);
    } else {
      symbols.openWithKey(context, null, buffer(key), this.#nonce, this.#param);
      this.#openingKey = key;
    }
    const pointer = this.#pointer(offset);
    if (length > 0) {
      symbols.EVP_DecryptUpdate(context, pointer, this.#lengthOut, pointer, length);
    }
    return symbols.EVP_DecryptFinal_ex(context, this.#lengthOut, this.#lengthOut) === 1;
  }

  /** Overwrites the copies of keys. */
  forget(): void {
    this.#symbols.sealWithKey(this.#sealing, null, ZERO_KEY, this.#nonce, null);
    this.#symbols.openWithKey(this.#opening, null, ZERO_KEY, this.#nonce, null);
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

  /** OpenSSL reads and writes tags where they lie; one outside the arena would be anybody's memory. */
  #setTagPlace(at: number): void {
    if (at + TAG_LENGTH > this.#arena.length) {
      throw new RangeError("Cannot place tag: it would lie outside the arena");
    }
    const low = this.#baseLow + at;
    this.#words[TAG_LOW] = low;
    this.#words[TAG_HIGH] = low < TWO_32 ? this.#baseHigh : this.#baseHigh + 1;
  }

  #setCounter(counter: number): void {
    this.#words[NONCE_LOW] = counter;
    this.#words[NONCE_HIGH] = Math.floor(counter / TWO_32);
  }
}

/** Messages of handshakes: in any memory, with additional data, and another key each time. */
export class MessageCipher {
  readonly #symbols: Symbols;
  readonly #block = new NativeBlock(BLOCK_WORDS + 2);
  readonly #tagBytes = this.#block.bytes.subarray(BLOCK_WORDS * 8);
  readonly #nonceBytes = this.#block.bytes.subarray(NONCE * 8, NONCE * 8 + 12);
  readonly #sealing: Deno.PointerValue;
  readonly #opening: Deno.PointerValue;
  readonly #param = this.#block.pointer(PARAM);
  readonly #nonce = this.#block.pointer(NONCE);
  readonly #lengthOut = this.#block.pointer(LENGTH_OUT);

  constructor(symbols: Symbols, cipher: Deno.PointerValue) {
    this.#symbols = symbols;
    this.#block.bytes.set(cString("tag"), NAME * 8);
    this.#block.writeParam(PARAM, {
      nameAt: NAME,
      type: PARAM_OCTET_STRING,
      dataAt: BLOCK_WORDS,
      length: TAG_LENGTH,
    });
    this.#sealing = symbols.EVP_CIPHER_CTX_new();
    this.#opening = symbols.EVP_CIPHER_CTX_new();
    symbols.sealWithKey(this.#sealing, cipher, ZERO_KEY, this.#nonce, null);
    symbols.openWithKey(this.#opening, cipher, ZERO_KEY, this.#nonce, null);
  }

  /** `out` takes the tag too: 16 bytes more than `plaintext`. */
  seal(out: Uint8Array, { key, nonce, plaintext, ad }: SealParts): void {
    const symbols = this.#symbols;
    const context = this.#sealing;
    checkRoom(out, plaintext.length + TAG_LENGTH);
    this.#nonceBytes.set(nonce);
    symbols.sealWithKey(context, null, buffer(key), this.#nonce, null);
    if (ad.length > 0) {
      symbols.sealAdditional(context, null, this.#lengthOut, buffer(ad), ad.length);
    }
    if (plaintext.length > 0) {
      const { length } = plaintext;
      symbols.sealBuffers(context, buffer(out), this.#lengthOut, buffer(plaintext), length);
    }
    symbols.EVP_EncryptFinal_ex(context, this.#lengthOut, this.#lengthOut);
    symbols.EVP_CIPHER_CTX_get_params(context, this.#param);
    out.set(this.#tagBytes, plaintext.length);
    // So that no key stays in OpenSSL's memory.
    symbols.sealWithKey(context, null, ZERO_KEY, this.#nonce, null);
  }

  /** False if the tag is wrong. `out` is 16 bytes shorter than `sealed`. */
  open(out: Uint8Array, { key, nonce, sealed, ad }: OpenParts): boolean {
    const symbols = this.#symbols;
    const context = this.#opening;
    const length = sealed.length - TAG_LENGTH;
    checkRoom(out, length);
    this.#nonceBytes.set(nonce);
    this.#tagBytes.set(sealed.subarray(length));
    symbols.openWithKey(context, null, buffer(key), this.#nonce, this.#param);
    if (ad.length > 0) {
      symbols.openAdditional(context, null, this.#lengthOut, buffer(ad), ad.length);
    }
    if (length > 0) {
      symbols.openBuffers(context, buffer(out), this.#lengthOut, buffer(sealed), length);
    }
    const done = symbols.EVP_DecryptFinal_ex(context, this.#lengthOut, this.#lengthOut) === 1;
    symbols.openWithKey(context, null, ZERO_KEY, this.#nonce, null);
    return done;
  }

  close(): void {
    this.#symbols.EVP_CIPHER_CTX_free(this.#sealing);
    this.#symbols.EVP_CIPHER_CTX_free(this.#opening);
  }
}

/** What one AEAD sealing takes: key of 32 bytes, nonce of 12, and the associated data. */
export interface SealParts {
  readonly key: Uint8Array;
  readonly nonce: Uint8Array;
  readonly plaintext: Uint8Array;
  readonly ad: Uint8Array;
}

/** What one AEAD opening takes; `sealed` ends with the tag of 16 bytes. */
export interface OpenParts {
  readonly key: Uint8Array;
  readonly nonce: Uint8Array;
  readonly sealed: Uint8Array;
  readonly ad: Uint8Array;
}

/** OpenSSL writes as much as it was told, whatever is there. */
function checkRoom(out: Uint8Array, length: number): void {
  if (length < 0 || out.length < length) {
    throw new RangeError(`Cannot run cipher: ${length} bytes of output have ${out.length} of room`);
  }
}
