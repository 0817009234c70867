/**
 * What is sealed, as bytes: signed settings and, apart from them, the raw secrets, so that no key
 * ever stands in JSON or in a string.
 * @core
 *
 *     "SKSO"  version  salt  length  settings  length  secrets
 *       4        1      16     4      …          2       …
 *
 * Numbers are big-endian. The salt keeps the head's public digest of these bytes from confirming
 * guesses about settings without secrets.
 */
import { concat } from "../apdu/tlv.ts";

const MAGIC = new TextEncoder().encode("SKSO");
const VERSION = 1;

/** Bytes of salt. */
export const FRAME_SALT = 16;

/** Longest signed settings. */
export const LONGEST_SETTINGS = 20_000;

/** Longest block of secrets: a private key and a preshared key. */
export const LONGEST_SECRETS = 64;

/** The parts of a frame. */
export interface Frame {
  readonly settings: Uint8Array;
  readonly secrets: Uint8Array;
}

/** Writes a frame. The caller wipes the result. */
export function encodeFrame(frame: Frame, salt: Uint8Array): Uint8Array<ArrayBuffer> {
  const { settings, secrets } = frame;
  if (
    salt.length !== FRAME_SALT || settings.length > LONGEST_SETTINGS ||
    secrets.length > LONGEST_SECRETS
  ) {
    throw new RangeError(`Cannot frame settings of ${settings.length} bytes`);
  }
  const lengths = new DataView(new ArrayBuffer(6));
  lengths.setUint32(0, settings.length);
  lengths.setUint16(4, secrets.length);
  return concat(
    MAGIC,
    Uint8Array.of(VERSION),
    salt,
    new Uint8Array(lengths.buffer, 0, 4),
    settings,
    new Uint8Array(lengths.buffer, 4, 2),
    secrets,
  );
}

/** Reads a frame. Both parts are views of `bytes`: wiping it wipes them. */
export function decodeFrame(bytes: Uint8Array): Frame | "damaged" | "newer-version" {
  const head = MAGIC.length + 1 + FRAME_SALT + 4;
  if (bytes.length < head || MAGIC.some((byte, index) => bytes[index] !== byte)) return "damaged";
  const version = bytes[MAGIC.length] ?? 0;
  if (version !== VERSION) return version > VERSION ? "newer-version" : "damaged";
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const settingsEnd = head + view.getUint32(head - 4);
  if (settingsEnd - head > LONGEST_SETTINGS || settingsEnd + 2 > bytes.length) return "damaged";
  const secrets = bytes.subarray(settingsEnd + 2);
  const expected = view.getUint16(settingsEnd);
  if (expected !== secrets.length || expected > LONGEST_SECRETS) return "damaged";
  return { settings: bytes.subarray(head, settingsEnd), secrets };
}
