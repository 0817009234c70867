/**
 * A full collection each time that this thread waits, and one every few datagrams: whatever only
 * a raw address refers to is then gone before the kernel writes to it.
 */
import { libc } from "../../os/libc.ts";

const EVERY = 16;
const { gc } = globalThis as { gc?: () => void };
if (gc === undefined) throw new Error("Cannot collect: run with --v8-flags=--expose-gc");
const calls = libc as { -readonly [Name in keyof typeof libc]: (typeof libc)[Name] };
const { poll, recvmsg } = libc;
let received = 0;

calls.poll = (descriptors, count, timeout) => {
  gc();
  return poll(descriptors, count, timeout);
};
calls.recvmsg = (descriptor, message, flags) => {
  if (++received % EVERY === 0) gc();
  return recvmsg(descriptor, message, flags);
};
