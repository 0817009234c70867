/** Block devices as the kernel shows them: what they are, and why one must not be formatted. */
import { basename, dirname } from "node:path";
import { SECTOR } from "./partition.ts";

/** A device or file that is to become a stick. */
export interface Target {
  readonly path: string;
  readonly kind: "device" | "file";
  readonly bytes: number;
  /** "SanDisk Ultra", or "" where nobody says. */
  readonly model: string;
}

/** Where the kernel's folders are; tests have their own. */
export interface KernelFolders {
  readonly sys: string;
  readonly proc: string;
}

const KERNEL: KernelFolders = { sys: "/sys", proc: "/proc" };

/**
 * Looks at what is to be formatted.
 * @returns a reason to refuse ("is mounted at /media/x; unmount it first") when there is one.
 */
export async function lookAtTarget(
  path: string,
  kernel: KernelFolders = KERNEL,
): Promise<{ target: Target } | { refusal: string }> {
  const real = await Deno.realPath(path);
  const info = await Deno.stat(real);
  if (info.isFile) {
    return { target: { path: real, kind: "file", bytes: info.size, model: "" } };
  }
  if (!info.isBlockDevice) return { refusal: "it is neither a disk nor a file" };
  return await lookAtDevice({ path: real, number: deviceNumber(info.rdev ?? 0) }, kernel);
}

/** Judges the block device with this number ("8:16"). */
export async function lookAtDevice(
  device: { path: string; number: string },
  kernel: KernelFolders = KERNEL,
): Promise<{ target: Target } | { refusal: string }> {
  const { path, number } = device;
  const folder = await realPath(`${kernel.sys}/dev/block/${number}`);
  if (folder === undefined) return { refusal: "the kernel doesn't know it; plug it in again" };
  if (await exists(`${folder}/partition`)) {
    const whole = basename(dirname(folder));
    return { refusal: `it is a partition; name the whole device: /dev/${whole}` };
  }
  const bytes = Number(await text(`${folder}/size`)) * 512;
  if (bytes === 0) return { refusal: "there is no medium in it; put one in" };
  if (await text(`${folder}/ro`) === "1") return { refusal: "it is write-protected" };
  const sector = await text(`${folder}/queue/logical_block_size`);
  if (sector !== "" && sector !== String(SECTOR)) {
    return { refusal: `its sectors have ${sector} bytes; only ${SECTOR} are supported` };
  }
  const use = await useOf(folder, kernel);
  if (use !== undefined) return { refusal: use };
  const words = [await text(`${folder}/device/vendor`), await text(`${folder}/device/model`)];
  const model = words.filter((word) => word !== "").join(" ");
  return { target: { path, kind: "device", bytes, model } };
}

/** Number of a device as /sys names it; `dev` as stat(2) gives it (sys/sysmacros.h). */
export function deviceNumber(dev: number): string {
  const wide = BigInt(dev);
  const major = wide >> 8n & 0xfffn | wide >> 32n & 0xffff_f000n;
  const minor = wide & 0xffn | wide >> 12n & 0xffff_ff00n;
  return `${major}:${minor}`;
}

/** The whole disk's path that holds the file system with this device number. */
export async function diskOf(
  number: string,
  kernel: KernelFolders = KERNEL,
): Promise<string | undefined> {
  const folder = await realPath(`${kernel.sys}/dev/block/${number}`);
  if (folder === undefined) return undefined;
  const whole = await exists(`${folder}/partition`) ? dirname(folder) : folder;
  return `/dev/${basename(whole)}`;
}

/** What a disk or a part of it is used for now. */
async function useOf(folder: string, kernel: KernelFolders): Promise<string | undefined> {
  const mounts = mountsIn(await text(`${kernel.proc}/self/mountinfo`));
  const swaps = (await text(`${kernel.proc}/swaps`)).split("\n").slice(1)
    .map((line) => line.split(/\s+/)[0] ?? "");
  for (const part of [folder, ...await partitionsOf(folder)]) {
    const name = `/dev/${basename(part)}`;
    const number = await text(`${part}/dev`);
    const mount = mounts.find((one) => one.number === number || one.source === name);
    if (mount?.at === "/") return "the system runs from it; name another device";
    if (mount !== undefined) return `${name} is mounted at ${mount.at}; unmount it first`;
    if (swaps.includes(name)) return `${name} is used for swap; use swapoff first`;
    const [holder] = await names(`${part}/holders`);
    if (holder !== undefined) {
      const system = await isUnderRoot(`${part}/holders/${holder}`, mounts);
      if (system) return "the system runs from it; name another device";
      return `${name} is held by ${holder} (LVM, encryption or RAID); release it first`;
    }
  }
  return undefined;
}

/** Whether "/" lies on a device or on what holds it. */
async function isUnderRoot(folder: string, mounts: readonly Mount[]): Promise<boolean> {
  const number = await text(`${folder}/dev`);
  if (mounts.some((mount) => mount.at === "/" && mount.number === number)) return true;
  for (const holder of await names(`${folder}/holders`)) {
    if (await isUnderRoot(`${folder}/holders/${holder}`, mounts)) return true;
  }
  return false;
}

interface Mount {
  readonly number: string;
  readonly at: string;
  readonly source: string;
}

/** proc(5), /proc/PID/mountinfo; spaces and the like are written in octal. */
function mountsIn(mountinfo: string): Mount[] {
  const plain = (word: string) =>
    word.replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(parseInt(octal, 8)));
  return mountinfo.split("\n").filter((line) => line !== "").map((line) => {
    const [before = "", after = ""] = line.split(" - ");
    const fields = before.split(" ");
    return {
      number: fields[2] ?? "",
      at: plain(fields[4] ?? ""),
      source: plain(after.split(" ")[1] ?? ""),
    };
  });
}

async function partitionsOf(folder: string): Promise<string[]> {
  const found: string[] = [];
  for (const name of await names(folder)) {
    if (await exists(`${folder}/${name}/partition`)) found.push(`${folder}/${name}`);
  }
  return found;
}

async function names(folder: string): Promise<string[]> {
  try {
    return (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name).sort();
  } catch {
    return []; // it went meanwhile
  }
}

async function text(path: string): Promise<string> {
  try {
    return (await Deno.readTextFile(path)).trim();
  } catch {
    return ""; // not every device has every file
  }
}

async function exists(path: string): Promise<boolean> {
  return await realPath(path) !== undefined;
}

async function realPath(path: string): Promise<string | undefined> {
  try {
    return await Deno.realPath(path);
  } catch {
    return undefined;
  }
}
