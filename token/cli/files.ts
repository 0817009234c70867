/** Files that commands read and write, with errors that name them. */
import { CommandError } from "./errors.ts";

/** Reads a whole file of at most `longest` bytes. */
export async function readBytes(path: string, longest = 64 * 1024): Promise<Uint8Array> {
  try {
    const { size } = await Deno.stat(path);
    if (size > longest) {
      throw new CommandError(`Cannot read ${path}: it has more than ${longest} bytes`);
    }
    return await Deno.readFile(path);
  } catch (error) {
    throw asCommandError(`read ${path}`, error);
  }
}

/** {@linkcode readBytes} as text. */
export async function readText(path: string): Promise<string> {
  return new TextDecoder().decode(await readBytes(path));
}

/** Fails early where {@linkcode writeSecret} would fail late. */
export function mustBeNew(path: string | undefined): void {
  try {
    if (path !== undefined) Deno.lstatSync(path);
    else return;
  } catch {
    return;
  }
  throw new CommandError(`Cannot write ${path}: it is there already; choose another name`);
}

/** Writes a new file that only its owner can read; never over one that is there. */
export async function writeSecret(path: string, content: Uint8Array | string): Promise<void> {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  try {
    await Deno.writeFile(path, bytes, { createNew: true, mode: 0o600 });
  } catch (error) {
    throw asCommandError(`write ${path}`, error);
  }
}

function asCommandError(doing: string, error: unknown): unknown {
  if (error instanceof Deno.errors.NotFound) {
    return new CommandError(`Cannot ${doing}: it is not there; check the path`);
  }
  if (error instanceof Deno.errors.AlreadyExists) {
    return new CommandError(`Cannot ${doing}: it is there already; choose another name`);
  }
  if (error instanceof Deno.errors.PermissionDenied) {
    return new CommandError(`Cannot ${doing}: permission denied; check its owner and mode`);
  }
  if (error instanceof Error && "code" in error) {
    return new CommandError(`Cannot ${doing}: ${error.message}`);
  }
  return error;
}
