/** BLAKE2s, HMAC over it and its own keyed mode, by libcrypto's EVP. Contexts are kept and reused. */
import {
  buffer,
  cString,
  type Library,
  NativeBlock,
  PARAM_UNSIGNED_INTEGER,
  size,
  type Symbols,
} from "./libcrypto_symbols.ts";

const BLOCK_LENGTH = 64;
const HASH_LENGTH = 32;
const MAC_LENGTH = 16;
const INNER_PAD = 0x36;
const OUTER_PAD = 0x5c;

/** BLAKE2s (RFC 7693): hash of 32 bytes, keyed MAC of 16, and HMAC over the hash. */
export class Blake2s {
  readonly #symbols: Symbols;
  readonly #digest: Deno.PointerValue;
  readonly #context: Deno.PointerValue;
  readonly #macContext: Deno.PointerValue;
  readonly #macLength = size(MAC_LENGTH);
  /** A padded key; zero between calls. */
  readonly #pad = new Uint8Array(new ArrayBuffer(BLOCK_LENGTH));
  readonly #inner = new Uint8Array(new ArrayBuffer(HASH_LENGTH));

  private constructor(
    symbols: Symbols,
    found: { digest: Deno.PointerValue; mac: Deno.PointerValue },
  ) {
    this.#symbols = symbols;
    this.#digest = found.digest;
    this.#context = symbols.EVP_MD_CTX_new();
    this.#macContext = symbols.EVP_MAC_CTX_new(found.mac);
    symbols.EVP_MAC_CTX_set_params(this.#macContext, macLengthParam());
  }

  /** Undefined if this libcrypto was built or configured without. */
  static open({ symbols }: Library): Blake2s | undefined {
    const digest = symbols.EVP_MD_fetch(null, cString("BLAKE2S-256"), null);
    const mac = symbols.EVP_MAC_fetch(null, cString("BLAKE2SMAC"), null);
    return digest === null || mac === null ? undefined : new Blake2s(symbols, { digest, mac });
  }

  /** BLAKE2s-256 of `a` and `b` joined. `out` may be one of them. RFC 7693. */
  hash(out: Uint8Array, a: Uint8Array, b: Uint8Array): void {
    this.#symbols.EVP_DigestInit_ex(this.#context, this.#digest, null);
    this.#update(a);
    this.#update(b);
    this.#symbols.EVP_DigestFinal_ex(this.#context, buffer(out), null);
  }

  /** HMAC-BLAKE2s-256 (RFC 2104). `out` may be `key` or `data`. */
  hmac(out: Uint8Array, key: Uint8Array, data: Uint8Array): void {
    if (key.length > BLOCK_LENGTH) {
      const short = new Uint8Array(HASH_LENGTH);
      this.hash(short, key, EMPTY);
      this.hmac(out, short, data);
      short.fill(0);
      return;
    }
    const pad = this.#pad;
    for (let index = 0; index < BLOCK_LENGTH; index++) pad[index] = (key[index] ?? 0) ^ INNER_PAD;
    this.hash(this.#inner, pad, data);
    for (let index = 0; index < BLOCK_LENGTH; index++) {
      pad[index] = (pad[index] ?? 0) ^ (INNER_PAD ^ OUTER_PAD);
    }
    this.hash(out, pad, this.#inner);
    pad.fill(0);
    this.#inner.fill(0);
  }

  /** Keyed BLAKE2s with 16 bytes of output. libcrypto keeps a copy of the last key. */
  mac(out: Uint8Array, key: Uint8Array, data: Uint8Array): void {
    this.#symbols.EVP_MAC_init(this.#macContext, buffer(key), size(key.length), null);
    if (data.length > 0) {
      this.#symbols.EVP_MAC_update(this.#macContext, buffer(data), size(data.length));
    }
    this.#symbols.EVP_MAC_final(this.#macContext, buffer(out), null, this.#macLength);
  }

  close(): void {
    this.#symbols.EVP_MD_CTX_free(this.#context);
    this.#symbols.EVP_MAC_CTX_free(this.#macContext);
  }

  #update(data: Uint8Array): void {
    if (data.length === 0) return;
    this.#symbols.EVP_DigestUpdate(this.#context, buffer(data), size(data.length));
  }
}

const EMPTY = new Uint8Array(0);

/** OSSL_PARAM that makes the output 16 bytes long: another function than the longer one cut off. */
function macLengthParam(): Uint8Array<ArrayBuffer> {
  const [nameAt, dataAt] = [10, 11];
  const block = new NativeBlock(12);
  block.bytes.set(cString("size"), nameAt * 8);
  block.words[dataAt * 2] = MAC_LENGTH;
  block.writeParam(0, { nameAt, type: PARAM_UNSIGNED_INTEGER, dataAt, length: 8 });
  return block.bytes;
}
