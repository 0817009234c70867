/**
 * The header of an age file taken apart and put together (age-encryption.org/v1, "Header"): a
 * container gets another way in, or loses one, while what is sealed stays byte for byte. @core
 */
import { hkdf } from "@noble/hashes/hkdf.js";
import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { concat } from "../apdu/tlv.ts";
import { LARGEST_CONTAINER, LONGEST_HEADER, MOST_STANZAS } from "./limits.ts";
import type { Stanza } from "./types.ts";

const VERSION = "age-encryption.org/v1";
/** Bytes of a body in one full line: 64 characters. */
const LINE_BYTES = 48;

/** A container in its two parts; nothing of it is proven. */
export interface AgeParts {
  readonly stanzas: readonly Stanza[];
  /** Nonce and chunks. */
  readonly payload: Uint8Array;
}

/** `undefined`: no container, or one beyond its limits. */
export function readHeader(sealed: Uint8Array): AgeParts | undefined {
  if (sealed.length > LARGEST_CONTAINER) return undefined;
  const text = new TextDecoder("latin1").decode(sealed.subarray(0, LONGEST_HEADER));
  const [version, ...lines] = text.split("\n");
  if (version !== VERSION) return undefined;
  const stanzas: Stanza[] = [];
  let at = VERSION.length + 1;
  for (let next = lines.shift(); next !== undefined; next = lines.shift()) {
    at += next.length + 1;
    if (next.startsWith("--- ")) {
      // The last piece of a cut text is no line.
      return lines.length === 0 ? undefined : { stanzas, payload: sealed.subarray(at) };
    }
    if (!/^->( [\x21-\x7e]+)+$/.test(next) || stanzas.length === MOST_STANZAS) return undefined;
    const pieces: Uint8Array[] = [];
    for (let isWhole = false; !isWhole;) {
      const line = lines.shift();
      const piece = line === undefined ? undefined : unbase64(line);
      if (line === undefined || piece === undefined || piece.length > LINE_BYTES) return undefined;
      at += line.length + 1;
      pieces.push(piece);
      isWhole = piece.length < LINE_BYTES;
    }
    stanzas.push({ args: next.split(" ").slice(1), body: concat(...pieces) });
  }
  return undefined;
}

/**
 * The same payload under other stanzas, for whoever has the file key.
 * @throws {RangeError} when that is more than fits.
 */
export function writeHeader({ stanzas, payload }: AgeParts, fileKey: Uint8Array): Uint8Array {
  const signed = new TextEncoder().encode(
    `${VERSION}\n${stanzas.map(stanzaText).join("")}---`,
  );
  const key = hkdf(sha256, fileKey, undefined, new TextEncoder().encode("header"), 32);
  const mac = hmac(sha256, key, signed).toBase64({ omitPadding: true });
  key.fill(0);
  const header = concat(signed, new TextEncoder().encode(` ${mac}\n`));
  const sealed = concat(header, payload);
  const fits = stanzas.length <= MOST_STANZAS && header.length <= LONGEST_HEADER &&
    sealed.length <= LARGEST_CONTAINER;
  if (!fits) {
    throw new RangeError(
      `Cannot seal the profile to ${stanzas.length} ways in: they don't fit; remove one`,
    );
  }
  return sealed;
}

/** One stanza as it stands in a header. */
function stanzaText({ args, body }: Stanza): string {
  let text = `-> ${args.join(" ")}\n`;
  for (let at = 0; at <= body.length; at += LINE_BYTES) {
    text += `${body.subarray(at, at + LINE_BYTES).toBase64({ omitPadding: true })}\n`;
  }
  return text;
}

/** Without padding, and in the one form that these bytes have. */
function unbase64(text: string): Uint8Array | undefined {
  try {
    const bytes = Uint8Array.fromBase64(text);
    return bytes.toBase64({ omitPadding: true }) === text ? bytes : undefined;
  } catch {
    return undefined;
  }
}
