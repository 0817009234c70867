/**
 * System calls by FFI, as they are: results below zero mean that `errno()` says why, if it is asked
 * right after the call on the same thread. None of them may be declared nonblocking, since errno
 * would then be another thread's. Lengths come back as i32: no call here moves 2 GiB, and a 64-bit
 * result would be a BigInt for each packet.
 */
const library = Deno.dlopen("libc.so.6", {
  open: { parameters: ["buffer", "i32", "i32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  read: { parameters: ["i32", "buffer", "usize"], result: "i32" },
  write: { parameters: ["i32", "buffer", "usize"], result: "i32" },
  readv: { parameters: ["i32", "buffer", "i32"], result: "i32" },
  writev: { parameters: ["i32", "buffer", "i32"], result: "i32" },
  ioctl: { parameters: ["i32", "u64", "buffer"], result: "i32" },
  ioctlValue: { name: "ioctl", parameters: ["i32", "u64", "u64"], result: "i32" },
  poll: { parameters: ["buffer", "u32", "i32"], result: "i32" },
  eventfd: { parameters: ["u32", "i32"], result: "i32" },
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  bind: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  listen: { parameters: ["i32", "i32"], result: "i32" },
  connect: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  getsockname: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
  getsockopt: { parameters: ["i32", "i32", "i32", "buffer", "buffer"], result: "i32" },
  sendmsg: { parameters: ["i32", "buffer", "i32"], result: "i32" },
  recvmsg: { parameters: ["i32", "buffer", "i32"], result: "i32" },
  recv: { parameters: ["i32", "buffer", "usize", "i32"], result: "i32" },
  clock_gettime: { parameters: ["i32", "buffer"], result: "i32" },
  epoll_create1: { parameters: ["i32"], result: "i32" },
  epoll_ctl: { parameters: ["i32", "i32", "i32", "buffer"], result: "i32" },
  setns: { parameters: ["i32", "i32"], result: "i32" },
  if_nametoindex: { parameters: ["buffer"], result: "u32" },
  __errno_location: { parameters: [], result: "pointer" },
});

export const libc = library.symbols;

/** fcntl.h, poll.h, sys/eventfd.h */
export const O_RDONLY = 0;
export const O_RDWR = 2;
export const O_NONBLOCK = 0x800;
export const O_CLOEXEC = 0x80000;
export const POLLIN = 1;
export const POLLOUT = 4;
export const POLLERR = 8;
export const POLLNVAL = 0x20;
export const EFD_NONBLOCK = 0x800;
export const EFD_CLOEXEC = 0x80000;

/** Where this thread's errno lies: an isolate stays on its thread, so it is asked for once. */
let errorNumber: Int32Array<ArrayBuffer> | undefined;

/** Error number of the last call on this thread that failed. */
export function errno(): number {
  errorNumber ??= new Int32Array(errnoMemory());
  return errorNumber[0] ?? 0;
}

function errnoMemory(): ArrayBuffer {
  const location = library.symbols.__errno_location();
  // __errno_location(3) has no way to fail.
  if (location === null) throw new Error("Cannot find errno: libc gives no place for it");
  return Deno.UnsafePointerView.getArrayBuffer(location, Int32Array.BYTES_PER_ELEMENT);
}

/** A string as C has it. */
export function cString(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${text}\0`);
}

/** A view of `length` bytes of native memory. Whoever gave the address keeps the memory there. */
export function nativeBytes(address: bigint, length: number): Uint8Array<ArrayBuffer> {
  const pointer = Deno.UnsafePointer.create(address);
  if (pointer === null) throw new RangeError("Cannot look into native memory: the address is 0");
  return new Uint8Array(Deno.UnsafePointerView.getArrayBuffer(pointer, length));
}

/** Where a buffer lies. It must stay referenced as long as the address is used. */
export function addressOf(bytes: Uint8Array<ArrayBuffer>): bigint {
  return Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes));
}
