/** What the kernel does with whole block devices: claim, re-read, flush. Source: linux/fs.h. */
import { errnoText } from "./errno.ts";
import { cString, errno, libc, O_CLOEXEC, O_RDWR } from "./libc.ts";

const O_EXCL = 0x80;
const BLKRRPART = 0x125fn;
const BLKFLSBUF = 0x1261n;

/** A block device that nobody else can mount or claim until it is released. */
export interface ClaimedDevice extends Disposable {
  /** Forgets what the kernel keeps of it, so that the next reads come from the medium. */
  dropCache(): void;
  /** Makes the kernel look at the partition table anew; false when a part of it is in use. */
  rereadPartitions(): boolean;
}

/**
 * Claims a device exclusively (open(2), O_EXCL without O_CREAT): the kernel refuses while it or a
 * part of it is mounted, used for swap, or held by LVM, RAID or another claim.
 * @throws {Error} with the kernel's reason.
 */
export function claimDevice(path: string): ClaimedDevice {
  const descriptor = libc.open(cString(path), O_RDWR | O_EXCL | O_CLOEXEC, 0);
  if (descriptor < 0) throw new Error(errnoText(errno()));
  const nothing = new Uint8Array(0);
  return {
    dropCache() {
      libc.ioctl(descriptor, BLKFLSBUF, nothing);
    },
    rereadPartitions: () => libc.ioctl(descriptor, BLKRRPART, nothing) === 0,
    [Symbol.dispose]() {
      libc.close(descriptor);
    },
  };
}
