/** A preshared key as the command line asks for it: a new one, or one in a file. */
import { randomBytes } from "node:crypto";
import { CommandError, UsageError } from "./errors.ts";
import { readText } from "./files.ts";
import type { Given } from "./options.ts";

/**
 * Reads `--psk` and `--psk-file`; `undefined` for neither, but where the suite's keys are manual.
 * The caller wipes the key.
 */
export async function readPresharedKey(
  given: Given,
  suite?: string,
): Promise<Uint8Array | undefined> {
  const isManual = suite === "wireguard-manual-1";
  const isNew = given.flag("psk") || isManual;
  const path = given.text("psk-file");
  const isKept = (given.text("peer-out") ?? given.text("psk-out")) !== undefined;
  if (isNew && path === undefined && !isKept) {
    const what = isManual ? "manual" : "preshared";
    throw new UsageError(`Cannot make a ${what} key: the hub needs it too; give --peer-out FILE`);
  }
  if (path === undefined) return isNew ? new Uint8Array(randomBytes(32)) : undefined;
  const text = (await readText(path)).trim();
  if (!/^[A-Za-z0-9+/]{43}=$/.test(text)) {
    throw new CommandError(`Cannot use ${path}: expected 32 bytes in base64 (wg genpsk)`);
  }
  return Uint8Array.fromBase64(text);
}
