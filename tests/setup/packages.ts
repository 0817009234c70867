/** What the demo and the tests need of Debian, and the file by which each package is recognised. */

/** `demo`: to run the main job. `tests`: that, and what only tests use. `bench`: peers to compare with. */
export type Purpose = "demo" | "tests" | "bench";

export interface Package {
  /** The name by which apt knows it. */
  readonly name: string;
  /** A program, looked for on PATH and in the sbin folders; or file names of which one must exist (`*`: one folder). */
  readonly has: { readonly program: string } | { readonly files: readonly string[] };
  readonly for: readonly Purpose[];
}

const ALWAYS: readonly Purpose[] = ["demo", "tests", "bench"];
const library = (name: string) => ({
  files: [`/usr/lib/*/${name}`, `/usr/lib64/${name}`, `/usr/lib/${name}`, `/lib/*/${name}`],
});

export const PACKAGES: readonly Package[] = [
  { name: "iproute2", has: { program: "ip" }, for: ALWAYS },
  { name: "util-linux", has: { program: "nsenter" }, for: ALWAYS },
  { name: "procps", has: { program: "sysctl" }, for: ALWAYS },
  { name: "iputils-ping", has: { program: "ping" }, for: ALWAYS },
  { name: "wireguard-tools", has: { program: "wg" }, for: ALWAYS },
  { name: "wireguard-go", has: { program: "wireguard-go" }, for: ALWAYS },
  // The names of protocols that rules are written with.
  { name: "netbase", has: { files: ["/etc/protocols"] }, for: ALWAYS },
  { name: "nftables", has: { program: "nft" }, for: ALWAYS },
  { name: "libnftables1", has: library("libnftables.so.1"), for: ALWAYS },
  { name: "libssl3", has: library("libcrypto.so.3"), for: ALWAYS },
  // Packets are encrypted faster with it, where the processor is a match; there is none for arm64.
  ...(Deno.build.arch === "x86_64"
    ? [{
      name: "libipsec-mb1",
      has: {
        files: ["libIPSec_MB.so.1", "libIPSec_MB.so.2"].flatMap((name) => library(name).files),
      },
      for: ALWAYS,
    }]
    : []),
  { name: "dnsmasq-base", has: { program: "dnsmasq" }, for: ALWAYS },
  { name: "udhcpc", has: { program: "udhcpc" }, for: ALWAYS },
  { name: "pcscd", has: { program: "pcscd" }, for: ALWAYS },
  { name: "libpcsclite1", has: library("libpcsclite.so.1"), for: ALWAYS },
  {
    name: "vsmartcard-vpcd",
    has: { files: ["/usr/lib/pcsc/drivers/serial/libifdvpcd.so"] },
    for: ALWAYS,
  },
  { name: "curl", has: { program: "curl" }, for: ALWAYS },
  { name: "openssl", has: { program: "openssl" }, for: ALWAYS },
  { name: "tcpdump", has: { program: "tcpdump" }, for: ALWAYS },
  { name: "bind9-dnsutils", has: { program: "dig" }, for: ["tests"] },
  { name: "strace", has: { program: "strace" }, for: ["tests"] },
  { name: "opensc", has: { program: "opensc-tool" }, for: ["tests"] },
  { name: "gnupg", has: { program: "gpg" }, for: ["tests"] },
  { name: "scdaemon", has: { files: ["/usr/lib/gnupg/scdaemon"] }, for: ["tests"] },
  { name: "xxd", has: { program: "xxd" }, for: ["tests"] },
  { name: "yubico-piv-tool", has: { program: "yubico-piv-tool" }, for: ["tests"] },
  { name: "age", has: { program: "age" }, for: ["tests"] },
  { name: "dosfstools", has: { program: "fsck.vfat" }, for: ["tests"] },
  { name: "fdisk", has: { program: "sfdisk" }, for: ["tests"] },
  { name: "mtools", has: { program: "mcopy" }, for: ["tests"] },
  { name: "chromium", has: { program: "chromium" }, for: ["tests"] },
  { name: "libnss3-tools", has: { program: "certutil" }, for: ["tests"] },
  {
    name: "fonts-noto-cjk",
    has: { files: ["/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc"] },
    for: ["tests"],
  },
  { name: "iperf3", has: { program: "iperf3" }, for: ["tests", "bench"] },
];

/** The packages of `purpose` that aren't there, under `root` (default: this machine). */
export function missingPackages(purpose: Purpose, root = ""): Package[] {
  const folders = [
    ...(root === "" ? (Deno.env.get("PATH") ?? "").split(":") : []),
    ...["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"],
  ];
  return PACKAGES.filter((one) => one.for.includes(purpose)).filter(({ has }) =>
    "program" in has
      ? !folders.some((folder) => exists(`${root}${folder}/${has.program}`))
      : !has.files.some((file) => matches(root, file))
  );
}

function matches(root: string, file: string): boolean {
  const [before, after] = file.split("*");
  if (after === undefined) return exists(root + file);
  try {
    return [...Deno.readDirSync(root + before)].some(({ name }) =>
      exists(root + before + name + after)
    );
  } catch {
    return false;
  }
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false; // also when a folder on PATH can't be entered
  }
}
