/**
 * OpenSSL's libcrypto (3.0 and later) by FFI: X25519, BLAKE2s, HMAC-BLAKE2s and
 * ChaCha20-Poly1305. Everything works on views of memory that the caller owns.
 *
 * One `Libcrypto` belongs to one thread.
 */
import { Blake2s } from "./libcrypto_blake2s.ts";
import {
  fetchChaCha,
  MessageCipher,
  type OpenParts,
  PacketCipher,
  type SealParts,
} from "./libcrypto_chacha.ts";
import { type Library, openLibrary } from "./libcrypto_symbols.ts";
import { X25519, type X25519Key } from "./libcrypto_x25519.ts";

interface Parts {
  readonly library: Library;
  readonly x25519: X25519;
  readonly blake2s: Blake2s;
  readonly cipher: Deno.PointerValue;
}

/** One thread's handle on libcrypto 3: what WireGuard needs of it. */
export class Libcrypto {
  readonly #parts: Parts;
  readonly #messages: MessageCipher;
  readonly blake2s: Blake2s;

  private constructor(parts: Parts) {
    this.#parts = parts;
    this.blake2s = parts.blake2s;
    this.#messages = new MessageCipher(parts.library.symbols, parts.cipher);
  }

  /** Undefined if there is no libcrypto 3 with these algorithms on this machine. */
  static open(): Libcrypto | undefined {
    const library = openLibrary();
    if (library === undefined) return undefined;
    const cipher = fetchChaCha(library);
    const blake2s = Blake2s.open(library);
    const x25519 = X25519.open(library);
    if (cipher === null || blake2s === undefined || x25519 === undefined) return undefined;
    return new Libcrypto({ library, x25519, blake2s, cipher });
  }

  /** An X25519 private key of 32 bytes, ready for use until its `release`. */
  x25519Key(privateKey: Uint8Array): X25519Key {
    return this.#parts.x25519.key(privateKey);
  }

  /** ChaCha20-Poly1305 (RFC 8439); `out` takes the tag too. */
  seal(out: Uint8Array, parts: SealParts): void {
    this.#messages.seal(out, parts);
  }

  /** False if the tag is wrong. */
  open(out: Uint8Array, parts: OpenParts): boolean {
    return this.#messages.open(out, parts);
  }

  /** Encryption and decryption in place in `arena`, which must not be moved before `close`. */
  packetCipher(arena: Uint8Array<ArrayBuffer>): PacketCipher {
    const { library, cipher } = this.#parts;
    return new PacketCipher(library.symbols, { arena, cipher });
  }

  /** Wipes and frees what OpenSSL holds for this object. */
  close(): void {
    this.#messages.close();
    this.blake2s.close();
    this.#parts.x25519.close();
    this.#parts.library.close();
  }
}
