import assert from "node:assert/strict";
import { deviceNumber, diskOf, lookAtDevice } from "./devices.ts";

const SDB = { path: "/dev/sdb", number: "8:16" };

Deno.test("a stick is told by its model and size", async () => {
  await using kernel = await Kernel.make();
  assert.deepEqual(await lookAtDevice(SDB, kernel), {
    target: { path: "/dev/sdb", kind: "device", bytes: 512_000_000, model: "SanDisk Ultra" },
  });
  assert.equal(await diskOf("8:17", kernel), "/dev/sdb");
  assert.equal(await diskOf("8:16", kernel), "/dev/sdb");
  assert.equal(await diskOf("0:33", kernel), undefined);
});

Deno.test("each use of a device is a reason of its own to refuse it", async () => {
  const cases: [string, (kernel: Kernel) => Promise<void>, RegExp][] = [
    [
      "mounted part",
      (kernel) => kernel.mount("8:17", "/media/my\\040stick"),
      /^\/dev\/sdb1 is mounted at \/media\/my stick; unmount it first$/,
    ],
    ["mounted whole", (kernel) => kernel.mount("8:16", "/mnt"), /^\/dev\/sdb is mounted at \/mnt;/],
    ["system", (kernel) => kernel.mount("8:17", "/"), /^the system runs from it;/],
    [
      "swap",
      (kernel) => kernel.write("proc/swaps", "Filename Type\n/dev/sdb1 partition 1 0 -2\n"),
      /^\/dev\/sdb1 is used for swap; use swapoff first$/,
    ],
    [
      "held",
      (kernel) => kernel.write("sys/devices/sdb/sdb1/holders/dm-0/dev", "253:0\n"),
      /^\/dev\/sdb1 is held by dm-0 \(LVM, encryption or RAID\); release it first$/,
    ],
    ["system on what holds it", async (kernel) => {
      await kernel.write("sys/devices/sdb/sdb1/holders/dm-0/dev", "253:0\n");
      await kernel.write("sys/devices/sdb/sdb1/holders/dm-0/holders/dm-1/dev", "253:1\n");
      await kernel.mount("253:1", "/");
    }, /^the system runs from it;/],
    ["write-protected", (kernel) => kernel.write("sys/devices/sdb/ro", "1\n"), /write-protected/],
    ["empty", (kernel) => kernel.write("sys/devices/sdb/size", "0\n"), /no medium in it/],
    [
      "large sectors",
      (kernel) => kernel.write("sys/devices/sdb/queue/logical_block_size", "4096\n"),
      /sectors have 4096 bytes/,
    ],
  ];
  for (const [what, change, reason] of cases) {
    await using kernel = await Kernel.make();
    await change(kernel);
    const look = await lookAtDevice(SDB, kernel);
    assert.ok("refusal" in look, what);
    assert.match(look.refusal, reason, what);
  }
});

Deno.test("a partition is refused, and the whole device named", async () => {
  await using kernel = await Kernel.make();
  const part = await lookAtDevice({ path: "/dev/sdb1", number: "8:17" }, kernel);
  assert.deepEqual(part, { refusal: "it is a partition; name the whole device: /dev/sdb" });
  const gone = await lookAtDevice({ path: "/dev/sdc", number: "8:32" }, kernel);
  assert.deepEqual(gone, { refusal: "the kernel doesn't know it; plug it in again" });
});

Deno.test("device numbers are split as the C library does it", () => {
  assert.equal(deviceNumber(0x0811), "8:17");
  assert.equal(deviceNumber(0x10_0300), "3:256");
  assert.equal(deviceNumber(2 ** 32 * 0x1000 + 5), "4096:5");
});

/** The kernel's folders with one stick in them. */
class Kernel implements AsyncDisposable {
  readonly sys: string;
  readonly proc: string;
  readonly #dir: string;
  #mounts = "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n";

  private constructor(dir: string) {
    this.#dir = dir;
    this.sys = `${dir}/sys`;
    this.proc = `${dir}/proc`;
  }

  static async make(): Promise<Kernel> {
    const kernel = new Kernel(await Deno.makeTempDir());
    for (
      const [path, text] of [
        ["sys/devices/sdb/dev", "8:16\n"],
        ["sys/devices/sdb/size", "1000000\n"],
        ["sys/devices/sdb/ro", "0\n"],
        ["sys/devices/sdb/queue/logical_block_size", "512\n"],
        ["sys/devices/sdb/device/vendor", "SanDisk \n"],
        ["sys/devices/sdb/device/model", "Ultra   \n"],
        ["sys/devices/sdb/sdb1/dev", "8:17\n"],
        ["sys/devices/sdb/sdb1/partition", "1\n"],
        ["proc/self/mountinfo", kernel.#mounts],
        ["proc/swaps", "Filename Type\n"],
      ] as const
    ) await kernel.write(path, text);
    await Deno.mkdir(`${kernel.sys}/dev/block`, { recursive: true });
    await Deno.symlink("../../devices/sdb", `${kernel.sys}/dev/block/8:16`);
    await Deno.symlink("../../devices/sdb/sdb1", `${kernel.sys}/dev/block/8:17`);
    return kernel;
  }

  async write(path: string, text: string): Promise<void> {
    const whole = `${this.#dir}/${path}`;
    await Deno.mkdir(whole.slice(0, whole.lastIndexOf("/")), { recursive: true });
    await Deno.writeTextFile(whole, text);
  }

  mount(number: string, at: string): Promise<void> {
    if (at === "/") this.#mounts = "";
    this.#mounts += `23 1 ${number} / ${at} rw,nosuid shared:1 - vfat /dev/other rw\n`;
    return this.write("proc/self/mountinfo", this.#mounts);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.#dir, { recursive: true });
  }
}
