/** The first file system of the guest: a busybox, the modules that it needs, and its first process. */

/** What a Debian kernel has as modules, and the guest needs; what they need comes with them. */
const MODULES = [
  ...["virtio_pci", "9pnet_virtio", "9p", "tun", "veth", "bridge", "wireguard"],
  ...["crc32c_generic", "nf_conntrack_netlink", "nf_log_syslog", "overlay"],
];
/** All of these besides: any rule may need one, and the guest can't load what is asked for later. */
const RULES = /^nft_/;
const EXECUTABLE = 0o100755;
const FOLDER = 0o040755;

const FIRST_PROCESS = `#!/bin/busybox sh
export PATH=/bin
busybox mkdir -p /bin /proc /sys /root
busybox mount -t proc proc /proc
while read -r module; do busybox insmod "/modules/$module" || echo "no $module"; done < /modules/order
share="trans=virtio,version=9p2000.L,msize=262144"
busybox mount -t 9p -o "$share,ro,cache=loose" host /root || busybox poweroff -f
busybox mount -t proc proc /root/proc
busybox mount -t sysfs sysfs /root/sys
busybox mount -t devtmpfs dev /root/dev
busybox mkdir -p /root/dev/shm /root/dev/pts
busybox ln -s /proc/self/fd /root/dev/fd
busybox mount -t devpts devpts /root/dev/pts
for place in dev/shm run tmp mnt; do busybox mount -t tmpfs tmpfs "/root/$place"; done
busybox mkdir -p /root/mnt/answer
busybox mount -t 9p -o "$share" answer /root/mnt/answer
busybox ip link set lo up
busybox umount /proc
exec busybox switch_root /root /bin/bash /mnt/answer/run.sh
`;

/** A cpio archive ("newc"; Linux, Documentation/driver-api/early-userspace/buffer-format.rst). */
export function initramfs(
  { root, modules, more = [] }: { root: string; modules: string; more?: readonly string[] },
): Uint8Array {
  const order = withDependencies([...MODULES, ...more], modules);
  const files = order.map((path) => [nameOf(path), Deno.readFileSync(path)] as const);
  const text = (words: string) => new TextEncoder().encode(words);
  const busybox = `${root}/bin/busybox`;
  return archive([
    { path: "bin", mode: FOLDER },
    { path: "dev", mode: FOLDER },
    { path: "modules", mode: FOLDER },
    { path: "bin/busybox", mode: EXECUTABLE, bytes: Deno.readFileSync(busybox) },
    { path: "init", mode: EXECUTABLE, bytes: text(FIRST_PROCESS) },
    {
      path: "modules/order",
      mode: EXECUTABLE,
      bytes: text(files.map(([name]) => `${name}\n`).join("")),
    },
    ...files.map(([name, bytes]) => ({ path: `modules/${name}`, mode: EXECUTABLE, bytes })),
  ]);
}

interface Entry {
  readonly path: string;
  readonly mode: number;
  readonly bytes?: Uint8Array;
}

function archive(entries: readonly Entry[]): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const entry of [...entries, { path: "TRAILER!!!", mode: 0 }]) parts.push(...record(entry));
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Header with the name, and contents, each filled up to a multiple of four. */
function record({ path, mode, bytes = new Uint8Array(0) }: Entry): Uint8Array[] {
  const name = new TextEncoder().encode(`${path}\0`);
  const hex = (value: number) => value.toString(16).padStart(8, "0");
  const numbers = [0, mode, 0, 0, 1, 0, bytes.length, 0, 0, 0, 0, name.length, 0].map(hex).join("");
  const header = new TextEncoder().encode(`070701${numbers}`);
  return [filledUp([header, name]), filledUp([bytes])];
}

function filledUp(parts: readonly Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const whole = new Uint8Array(Math.ceil(length / 4) * 4);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Paths of these modules and of all that they need, what is needed first. */
function withDependencies(wanted: readonly string[], modules: string): string[] {
  const paths = new Map(filesBelow(`${modules}/kernel`).map((path) => [moduleOf(path), path]));
  const order: string[] = [];
  const add = (name: string) => {
    const path = paths.get(name);
    // What has no file is built in.
    if (path === undefined || order.includes(path)) return;
    for (const needed of dependenciesOf(path)) add(needed);
    order.push(path);
  };
  const rules = [...paths.keys()].filter((name) => RULES.test(name)).sort();
  for (const name of [...wanted, ...rules]) add(name);
  return order;
}

function* filesIn(folder: string): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    const path = `${folder}/${name}`;
    if (isDirectory) yield* filesIn(path);
    else if (name.endsWith(".ko")) yield path;
  }
}

function filesBelow(folder: string): string[] {
  return [...filesIn(folder)];
}

/** From the module's own `depends=`. */
function dependenciesOf(path: string): string[] {
  const text = new TextDecoder("latin1").decode(Deno.readFileSync(path));
  const hard = /\0depends=([^\0]*)\0/.exec(text)?.[1]?.split(",") ?? [];
  return hard.filter((name) => name !== "").map((name) => name.replaceAll("-", "_"));
}

function nameOf(path: string): string {
  return path.split("/").at(-1) ?? "";
}

function moduleOf(path: string): string {
  return nameOf(path).replace(/\.ko$/, "").replaceAll("-", "_");
}
