/**
 * `sendmsg` as it is where a route can't compute checksums (EIO for several datagrams at once),
 * where signals come (EINTR), where the socket is full (EAGAIN) or the device (ENOBUFS).
 */
import { EAGAIN, EINTR, EIO, ENOBUFS } from "../../os/errno.ts";
import { libc } from "../../os/libc.ts";

/** Offset of `msg_iovlen` in a struct msghdr. */
const PIECES_AT = 24;
const calls = libc as { -readonly [Name in keyof typeof libc]: (typeof libc)[Name] };
const { sendmsg } = libc;
let made = 0;

calls.sendmsg = (descriptor, message, flags) => {
  made++;
  if (!(message instanceof Uint8Array)) throw new Error("Cannot refuse: the message is no bytes");
  const pieces = new DataView(message.buffer, message.byteOffset).getUint32(PIECES_AT, true);
  if (pieces > 1) return fail(EIO);
  if (made % 50 === 0) return fail(EINTR);
  if (made % 77 === 0) return fail(EAGAIN);
  if (made % 1001 === 0) return fail(ENOBUFS);
  return sendmsg(descriptor, message, flags);
};

function fail(error: number): number {
  const location = libc.__errno_location();
  if (location === null) throw new Error("Cannot refuse: there is no errno");
  new Int32Array(Deno.UnsafePointerView.getArrayBuffer(location, 4))[0] = error;
  return -1;
}
