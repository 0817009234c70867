/** Error numbers of Linux (errno(3)), the same on x86-64 and arm64. */
export const EPERM = 1;
export const ENOENT = 2;
export const EINTR = 4;
export const EIO = 5;
export const EBADF = 9;
export const EAGAIN = 11;
export const EBUSY = 16;
export const EEXIST = 17;
export const ENODEV = 19;
export const EINVAL = 22;
export const EPROTO = 71;
export const EBADFD = 77;
export const EMSGSIZE = 90;
export const EOPNOTSUPP = 95;
export const EAFNOSUPPORT = 97;
export const EADDRINUSE = 98;
export const EADDRNOTAVAIL = 99;
export const ENETDOWN = 100;
export const ENETUNREACH = 101;
export const ENOBUFS = 105;

const NAMES: Readonly<Record<number, string>> = {
  [EPERM]: "not permitted (EPERM)",
  [ENOENT]: "no such file (ENOENT)",
  [EIO]: "input/output error (EIO)",
  [EBADF]: "closed (EBADF)",
  [EBUSY]: "in use (EBUSY)",
  [EEXIST]: "there already (EEXIST)",
  [ENODEV]: "no such device (ENODEV)",
  [EINVAL]: "invalid (EINVAL)",
  [EOPNOTSUPP]: "not supported (EOPNOTSUPP)",
  [EAFNOSUPPORT]: "address family not supported (EAFNOSUPPORT)",
  [EADDRINUSE]: "address in use (EADDRINUSE)",
  [EADDRNOTAVAIL]: "address not available (EADDRNOTAVAIL)",
  [ENETUNREACH]: "network unreachable (ENETUNREACH)",
};

/** An error number in words. */
export function errnoText(errno: number): string {
  return NAMES[errno] ?? `error ${errno}`;
}
