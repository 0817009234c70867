/**
 * Fetches what a guest with WireGuard in its kernel is made of, by the machine's own apt: QEMU, a
 * Debian kernel, its udev and a static busybox, unpacked into the user's cache and never installed (some 90 MB;
 * 500 MB unpacked). `deno run -A tests/interop/kernel/fetch.ts`
 */
import { execOk } from "../../../os/exec.ts";
import { cacheFolder, WANTED } from "./cache.ts";

/** What these name that a guest has no use for. */
const UNUSED = /^(systemd|libsystemd|libnss|libpam|libudev|initramfs|klibc|libklibc|linux-base)/;
const META = /^linux-image-amd64_/;
const TEN_MINUTES = 600_000;

const folder = cacheFolder();
await Deno.remove(folder, { recursive: true }).catch(() => {});
await Deno.mkdir(`${folder}/archives`, { recursive: true });
await Deno.mkdir(`${folder}/root`);

const planned = await execOk([
  ...["apt-get", "install", "--yes", "--no-install-recommends", "--print-uris", "--quiet=2"],
  ...["-o", `Dir::Cache=${folder}`, ...WANTED],
]);
const names = planned.split("\n").map((line) => line.split(" ")[1] ?? "")
  .filter((name) => name.endsWith(".deb") && !UNUSED.test(name) && !META.test(name))
  .map((name) => name.split("_")[0] ?? "");
await Deno.chdir(`${folder}/archives`);
await execOk(
  ["apt-get", "download", "--quiet=2", "-o", "APT::Sandbox::User=root", ...names],
  { timeoutMs: TEN_MINUTES },
);
for (const { name } of Deno.readDirSync(".")) {
  await execOk(["dpkg-deb", "--extract", name, `${folder}/root`], { timeoutMs: TEN_MINUTES });
}
// Last, so that a fetch that was cut off begins anew.
await Deno.writeTextFile(`${folder}/complete`, WANTED.join(" "));
console.log(`The guest's parts are in ${folder}`);
