/**
 * Files that lie in memory only (memfd_create(2)), and a program started from one of them in this
 * process's place (execve(2)): nothing of either has a name on any disk.
 */
import { errnoText } from "./errno.ts";
import { cString } from "./libc.ts";

const libc = Deno.dlopen("libc.so.6", {
  memfd_create: { parameters: ["buffer", "u32"], result: "i32" },
  write: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  read: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  close: { parameters: ["i32"], result: "i32" },
  fcntl: { parameters: ["i32", "i32", "i32"], result: "i32" },
  pipe: { parameters: ["buffer"], result: "i32" },
  execve: { parameters: ["buffer", "buffer", "buffer"], result: "i32" },
  __errno_location: { parameters: [], result: "pointer" },
});

const MFD_ALLOW_SEALING = 0x2;
/** Since Linux 6.3 a system may make such files unable to run unless this is asked for. */
const MFD_EXEC = 0x10;
const F_ADD_SEALS = 1033;
/** No shrinking, growing or writing, and no change of these seals (fcntl(2), "File Sealing"). */
const ALL_SEALS = 0x1 | 0x2 | 0x4 | 0x8;
const STEP = 1 << 20;
/** What a pipe takes at once without a reader (pipe(7), PIPE_BUF). */
const PIPE_BYTES = 4096;

/** An open file in memory. It stays open over `replaceProcess`. */
export interface MemoryFile {
  readonly descriptor: number;
  write(bytes: Uint8Array<ArrayBuffer>): void;
  /** Nobody can change it from here on, this process included. */
  seal(): void;
}

/** Makes one; `name` is what /proc shows of it. */
export function makeMemoryFile(name: string): MemoryFile {
  const make = (flags: number) => libc.symbols.memfd_create(cString(name), flags);
  let descriptor = make(MFD_ALLOW_SEALING | MFD_EXEC);
  if (descriptor < 0) descriptor = make(MFD_ALLOW_SEALING); // an older kernel knows no such flag
  if (descriptor < 0) throw failed("make a file in memory");
  return {
    descriptor,
    write(bytes) {
      for (let at = 0; at < bytes.length;) {
        const step = bytes.subarray(at, at + STEP);
        const count = Number(libc.symbols.write(descriptor, step, BigInt(step.length)));
        if (count <= 0) throw failed("fill a file in memory");
        at += count;
      }
    },
    seal() {
      if (libc.symbols.fcntl(descriptor, F_ADD_SEALS, ALL_SEALS) !== 0) {
        throw failed("seal a file in memory");
      }
    },
  };
}

/** A pipe that holds these bytes for whoever reads them once; returns the end to read from. */
export function pipeHolding(bytes: Uint8Array<ArrayBuffer>): number {
  if (bytes.length > PIPE_BYTES) throw new RangeError("Cannot fill the pipe: too many bytes");
  const ends = new Int32Array(2);
  if (libc.symbols.pipe(new Uint8Array(ends.buffer)) !== 0) throw failed("open a pipe");
  const [from = -1, to = -1] = ends;
  const count = libc.symbols.write(to, bytes, BigInt(bytes.length));
  libc.symbols.close(to);
  if (Number(count) !== bytes.length) throw failed("fill a pipe");
  return from;
}

/** Takes what `pipeHolding` left, and closes the pipe. */
export function drainPipe(descriptor: number, length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  const count = Number(libc.symbols.read(descriptor, bytes, BigInt(length)));
  libc.symbols.close(descriptor);
  return bytes.subarray(0, Math.max(0, count));
}

/**
 * Becomes another program: all of this process's memory goes, its open descriptors stay.
 * @throws {Error} when the kernel refuses; on success it does not return.
 */
export function replaceProcess(
  program: string,
  { argv, env }: { argv: readonly string[]; env: Readonly<Record<string, string>> },
): never {
  const words = vector(argv);
  const variables = vector(Object.entries(env).map(([name, value]) => `${name}=${value}`));
  libc.symbols.execve(cString(program), words.bytes, variables.bytes);
  const error = failed(`run ${program}`);
  // Named once more so that what the addresses point at was there during the call.
  if (words.texts.length + variables.texts.length < 0) throw error;
  throw error;
}

/** Addresses of strings, ended by a null. */
function vector(texts: readonly string[]) {
  const held = texts.map(cString);
  const addresses = new BigUint64Array(held.length + 1);
  held.forEach((text, index) => {
    addresses[index] = BigInt(Deno.UnsafePointer.value(Deno.UnsafePointer.of(text)));
  });
  return { bytes: new Uint8Array(addresses.buffer), texts: held };
}

function failed(doing: string): Error {
  const location = libc.symbols.__errno_location();
  const code = location === null ? 0 : new Deno.UnsafePointerView(location).getInt32();
  return new Error(`Cannot ${doing}: ${errnoText(code)}`);
}
