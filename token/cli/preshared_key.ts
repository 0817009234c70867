/** A preshared key as the command line asks for it: a new one, or one in a file. */
import { randomBytes } from "node:crypto";
import { CommandError, UsageError } from "./errors.ts";
import { readText } from "./files.ts";
import type { Given } from "./options.ts";

/** Reads `--psk` and `--psk-file`; `undefined` for neither. The caller wipes the key. */
export async function readPresharedKey(given: Given): Promise<Uint8Array | undefined> {
  const path = given.text("psk-file");
  const isKept = (given.text("peer-out") ?? given.text("psk-out")) !== undefined;
  if (given.flag("psk") && !isKept) {
    throw new UsageError("Cannot make a preshared key: the hub needs it too; give --peer-out FILE");
  }
  if (path === undefined) return given.flag("psk") ? new Uint8Array(randomBytes(32)) : undefined;
  const text = (await readText(path)).trim();
  if (!/^[A-Za-z0-9+/]{43}=$/.test(text)) {
    throw new CommandError(`Cannot use ${path}: expected 32 bytes in base64 (wg genpsk)`);
  }
  return Uint8Array.fromBase64(text);
}
