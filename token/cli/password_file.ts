/** Passwords that a command reads from files. */
import { CommandError, UsageError } from "./errors.ts";
import { readBytes } from "./files.ts";
import type { Given } from "./options.ts";

/** The password of a second container, which the caller wipes. */
export async function backupPassword(given: Given): Promise<Uint8Array | undefined> {
  const path = given.text("backup-password-file");
  if ((path === undefined) !== (given.text("backup-out") === undefined)) {
    throw new UsageError(
      "Cannot write a backup: --backup-out and --backup-password-file go together",
    );
  }
  return path === undefined ? undefined : await readPasswordFile(path);
}

/** The first line of a file, not empty. */
export async function readPasswordFile(path: string): Promise<Uint8Array> {
  const bytes = await readBytes(path, 1024);
  const end = bytes.findIndex((byte) => byte === 0x0a || byte === 0x0d);
  const password = end < 0 ? bytes : bytes.slice(0, end);
  if (password.length === 0) throw new CommandError(`Cannot use ${path}: the password is empty`);
  return password;
}
