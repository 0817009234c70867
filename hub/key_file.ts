/** Keys in files as `wg genkey` and `wg genpsk` write them, read without ever being a string. */
import { ConfigError } from "../os/config.ts";

const KEY_BYTES = 32;
const KEY_CHARACTERS = 44;
const GROUP_OR_OTHERS = 0o077;

/**
 * Reads 32 bytes in base64 from `path` into `into`.
 * @throws {ConfigError} when the file is missing, open to others, or holds something else.
 */
export function readKeyFile(path: string, into: Uint8Array): void {
  const text = new Uint8Array(KEY_CHARACTERS + 2);
  try {
    const length = readSome(path, text);
    const end = trimmedLength(text, length);
    if (end !== KEY_CHARACTERS || !decode(text, into)) throw fault(path, "it holds something else");
  } finally {
    text.fill(0);
  }
}

function readSome(path: string, into: Uint8Array): number {
  let file: Deno.FsFile;
  try {
    file = Deno.openSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw fault(path, "it is not there");
    if (error instanceof Deno.errors.PermissionDenied) {
      throw fault(path, "this user may not read it");
    }
    throw error;
  }
  try {
    const { mode, isFile } = file.statSync();
    if (!isFile) throw fault(path, "it is not a file");
    if (((mode ?? 0) & GROUP_OR_OTHERS) !== 0) throw fault(path, "others may read it");
    return file.readSync(into) ?? 0;
  } finally {
    file.close();
  }
}

function fault(path: string, state: string): ConfigError {
  const expected = "a key as `wg genkey` prints it, in a file with mode 0600";
  return new ConfigError(`Cannot use key ${path}: ${state}; expected ${expected}`);
}

/** Without the line end. */
function trimmedLength(text: Uint8Array, length: number): number {
  let end = length;
  while (end > 0 && (text[end - 1] ?? 0) <= 0x20) end--;
  return end;
}

/** RFC 4648 section 4 for 44 characters; false when one of them is no base64 or bits are left over. */
function decode(text: Uint8Array, into: Uint8Array): boolean {
  let bits = 0;
  let held = 0;
  let out = 0;
  for (let i = 0; i < KEY_CHARACTERS - 1; i++) {
    const value = sextet(text[i] ?? 0);
    if (value < 0) return false;
    bits = ((bits << 6) | value) & 0xffff;
    held += 6;
    if (held < 8) continue;
    held -= 8;
    into[out++] = (bits >> held) & 0xff;
  }
  const rest = bits & ((1 << held) - 1);
  return out === KEY_BYTES && rest === 0 && text[KEY_CHARACTERS - 1] === 0x3d;
}

function sextet(code: number): number {
  if (code >= 0x41 && code <= 0x5a) return code - 0x41;
  if (code >= 0x61 && code <= 0x7a) return code - 0x61 + 26;
  if (code >= 0x30 && code <= 0x39) return code - 0x30 + 52;
  if (code === 0x2b) return 62;
  return code === 0x2f ? 63 : -1;
}
