/** PINs, PUKs and passwords: from a file, from standard input, or asked for on the terminal. */
import { CommandError, UsageError } from "./errors.ts";
import { readBytes } from "./files.ts";
import type { Given } from "./options.ts";

const LONGEST = 1024;
const [NEWLINE, RETURN, BACKSPACE, DELETE, INTERRUPT] = [0x0a, 0x0d, 0x08, 0x7f, 0x03];

/**
 * One secret for each question, as bytes that the caller wipes. With `--pin-stdin` and `--pin-file`
 * they stand one in a line, in the order of the questions.
 */
export async function readSecrets(
  given: Given,
  questions: readonly string[],
): Promise<Uint8Array[]> {
  const file = given.text("pin-file");
  if (given.flag("pin-stdin") && file !== undefined) {
    throw new UsageError("Cannot read the PIN: --pin-stdin and --pin-file exclude each other");
  }
  if (file !== undefined) return linesOf(await readBytes(file, LONGEST), questions);
  if (given.flag("pin-stdin")) return linesOf(await readStdin(), questions);
  if (!Deno.stdin.isTerminal()) {
    throw new UsageError("Cannot ask for the PIN: no terminal; use --pin-stdin or --pin-file");
  }
  const secrets: Uint8Array[] = [];
  for (const question of questions) secrets.push(ask(question));
  return secrets;
}

function linesOf(bytes: Uint8Array, questions: readonly string[]): Uint8Array[] {
  const lines: Uint8Array[] = [];
  let start = 0;
  for (const question of questions) {
    if (start >= bytes.length) {
      throw new CommandError(`Cannot read the ${question}: the line is missing`);
    }
    const newline = bytes.indexOf(NEWLINE, start);
    const end = newline < 0 ? bytes.length : newline;
    lines.push(bytes.slice(start, bytes[end - 1] === RETURN ? end - 1 : end));
    start = end + 1;
  }
  bytes.fill(0);
  return lines;
}

async function readStdin(): Promise<Uint8Array> {
  const bytes = new Uint8Array(LONGEST);
  let length = 0;
  while (length < bytes.length) {
    const count = await Deno.stdin.read(bytes.subarray(length));
    if (count === null) break;
    length += count;
  }
  const read = bytes.slice(0, length);
  bytes.fill(0);
  return read;
}

/** Asks without an echo. */
function ask(question: string): Uint8Array {
  const say = (text: string) => Deno.stderr.writeSync(new TextEncoder().encode(text));
  say(`${question}: `);
  const typed = new Uint8Array(LONGEST);
  const one = new Uint8Array(1);
  let length = 0;
  Deno.stdin.setRaw(true);
  try {
    while (Deno.stdin.readSync(one) === 1) {
      const key = one[0] ?? 0;
      if (key === NEWLINE || key === RETURN) break;
      if (key === INTERRUPT) throw new CommandError(`Cannot go on: interrupted at the ${question}`);
      if (key === BACKSPACE || key === DELETE) length = Math.max(0, length - 1);
      else if (length < typed.length) typed[length++] = key;
    }
  } finally {
    Deno.stdin.setRaw(false);
    say("\n");
  }
  const secret = typed.slice(0, length);
  typed.fill(0);
  return secret;
}
