/** Where the guest's parts lie once they were fetched: QEMU, a Debian kernel and its udev, unpacked. */

export interface GuestParts {
  /** The folder that packages were unpacked to. */
  readonly root: string;
  readonly kernel: string;
  /** `/lib/modules/VERSION` below the root. */
  readonly modules: string;
}

export function cacheFolder(): string {
  const base = Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME") ?? "/var/tmp"}/.cache`;
  return `${base}/sekisho-kernel`;
}

/** Debian's names; what was fetched is complete if it was these. */
export const WANTED = ["linux-image-amd64", "qemu-system-x86", "busybox-static", "udev"];

/** Undefined if they weren't fetched yet: `deno run -A tests/interop/kernel/fetch.ts`. */
export function guestParts(): GuestParts | undefined {
  const root = `${cacheFolder()}/root`;
  try {
    const fetched = Deno.readTextFileSync(`${cacheFolder()}/complete`);
    if (fetched !== WANTED.join(" ")) return undefined;
    const [image] = [...Deno.readDirSync(`${root}/boot`)].map(({ name }) => name)
      .filter((name) => name.startsWith("vmlinuz-"));
    if (image === undefined) return undefined;
    const modules = `${root}/lib/modules/${image.slice("vmlinuz-".length)}`;
    return { root, kernel: `${root}/boot/${image}`, modules };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
