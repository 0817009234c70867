/**
 * Whether a stick is there, without holding it open: an open descriptor would keep a loop device
 * alive. The kernel numbers every medium that it ever saw (sysfs, diskseq), so one that was pulled
 * and put back is another one.
 */
import { deviceNumber } from "./devices.ts";

/** How often a stick in use is looked for, in milliseconds: a look costs some 30 µs. */
export const PRESENCE_MS = 25;

/** What marks this insertion of the stick at `path`; `undefined` when there is none. */
export function insertionOf(path: string): string | undefined {
  try {
    const real = Deno.realPathSync(path);
    const info = Deno.statSync(real);
    if (info.isFile) return `file ${info.dev}:${info.ino}`;
    if (!info.isBlockDevice) return undefined;
    const folder = `/sys/dev/block/${deviceNumber(info.rdev ?? 0)}`;
    if (Number(Deno.readTextFileSync(`${folder}/size`)) === 0) return undefined;
    return `disk ${sequenceOf(folder)} ${info.rdev}`;
  } catch {
    return undefined; // whatever can't be looked at is not there
  }
}

/** Calls `onGone` once, when the stick that is there now has gone. */
export function watchInsertion(
  path: string,
  { insertion, onGone }: { insertion: string; onGone: () => void },
): { stop(): void } {
  const timer = setInterval(() => {
    if (insertionOf(path) === insertion) return;
    clearInterval(timer);
    onGone();
  }, PRESENCE_MS);
  return { stop: () => clearInterval(timer) };
}

/** Whole disks with a medium that hang on USB, as paths, in order of their names. */
export function usbDisks(sys = "/sys"): string[] {
  const found: string[] = [];
  for (const { name } of list(`${sys}/block`)) {
    try {
      const real = Deno.realPathSync(`${sys}/block/${name}`);
      if (!/\/usb\d/.test(real)) continue;
      if (Number(Deno.readTextFileSync(`${real}/size`)) > 0) found.push(`/dev/${name}`);
    } catch {
      continue; // it went meanwhile
    }
  }
  return found.sort();
}

/** Linux before 5.15 doesn't number media; there the device's own number must do. */
function sequenceOf(folder: string): string {
  try {
    return Deno.readTextFileSync(`${folder}/diskseq`).trim();
  } catch {
    return "";
  }
}

function list(folder: string): Deno.DirEntry[] {
  try {
    return [...Deno.readDirSync(folder)];
  } catch {
    return [];
  }
}
