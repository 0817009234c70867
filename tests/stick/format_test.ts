/** `token format`: what it makes, by other people's tools, and what it refuses to touch. */
import assert from "node:assert/strict";
import { Lab } from "../lab/lab.ts";
import { labTest } from "../lab/needs.ts";
import {
  LoopDevice,
  makeIssuer,
  makeStick,
  PASSWORD,
  run,
  settings,
  sure,
  token,
  VISIBLE_AT,
} from "./stick.ts";

const SERVER = {
  key: "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=",
  endpoint: "192.0.2.2:51820",
};
const HIDDEN_TYPE = "5E4B1540-57A9-4C1B-9D3E-7A0C6F1D2B85";

labTest("other people's tools find table, file system and age files whole", async () => {
  await using lab = await Lab.open();
  const { dir } = lab;
  const { image } = await makeStick(dir, { server: SERVER });
  assert.match(await sure("sfdisk", ["--verify", image]), /No errors detected/);
  const { partitiontable } = JSON.parse(await sure("sfdisk", ["--json", image]));
  const [visible, hidden] = partitiontable.partitions;
  assert.equal(hidden.type, HIDDEN_TYPE);
  assert.match(hidden.attrs, /GUID:60,62,63/);
  assert.equal(visible.start * 512, VISIBLE_AT);

  const fat = `${dir}/fat.img`;
  await sure("dd", [
    ...[`if=${image}`, `of=${fat}`, "bs=1M", "skip=1", `count=${visible.size / 2048}`],
    "conv=sparse",
  ]);
  const checked = await sure("fsck.vfat", ["-n", "-v", fat]);
  assert.match(checked, /32 bit entries/);
  assert.match(checked, /: 7 files, /);
  const shown = await sure("mdir", ["-b", "-i", fat, "::"]);
  const names = ["start.sh", "start.command", "start.cmd", "README.txt", "launcher.js"];
  for (const name of names) assert.ok(shown.includes(`::/${name}\n`), name);
  await sure("mcopy", ["-n", "-i", fat, "::linux-x64.com", `${dir}/runtime`]);
  await sure("cmp", [`${dir}/runtime`, Deno.execPath()]);
  await sure("mcopy", ["-n", "-i", fat, "::start.sh", `${dir}/start.sh`]);
  await sure("sh", ["-n", `${dir}/start.sh`]);

  // The stock tool opens what is hidden: the key by the password, the profile by the key.
  const disk = await Deno.readFile(image);
  const part = disk.subarray(hidden.start * 512);
  const area = async (at: number, name: string) => {
    const bytes = part.subarray(at, at + (24 << 10));
    await Deno.writeFile(
      `${dir}/${name}`,
      bytes.subarray(0, bytes.findLastIndex((b) => b !== 0) + 1),
    );
  };
  await area(32 << 10, "key.age");
  await area(64 << 10, "profile.age");
  const opened = await run("bash", [
    "-c",
    `printf '%s\\n' '${PASSWORD}' |
      script -qec 'age -d -i ${dir}/key.age -o ${dir}/opened ${dir}/profile.age' /dev/null`,
  ]);
  const plaintext = await Deno.readFile(`${dir}/opened`);
  assert.equal(new TextDecoder().decode(plaintext.subarray(0, 4)), "SKSO", opened.stdout);
});

labTest("a device is formatted, and refused while anything uses it", async () => {
  await using lab = await Lab.open();
  const { dir } = lab;
  await makeIssuer(dir);
  const file = `${dir}/disk.img`;
  await sure("truncate", ["-s", "256M", file]);
  await using loop = await LoopDevice.open(file, ["--partscan"]);
  const words = (target: string, ...more: string[]) => [
    ...["format", target, "--issuer", `${dir}/issuer`, "--password-file", `${dir}/password`],
    ...[...settings(SERVER), ...more],
  ];
  const refused = async (why: RegExp, args: string[], code = 1) => {
    const end = await token(args);
    assert.equal(end.code, code, end.stderr);
    assert.match(end.stderr, why);
    assert.equal(end.stderr.trim().split("\n").length, 1, end.stderr);
  };
  await refused(/Cannot ask before erasing: no terminal; use --yes/, words(loop.path), 2);
  const done = await token(words(loop.path, "--yes"));
  assert.equal(done.code, 0, done.stderr);
  assert.match(done.stdout, /for Alice Example to the card stick:[0-9a-f]{32}\./);
  assert.match(await sure("sfdisk", ["--verify", loop.path]), /No errors detected/);
  const again = await token(words(loop.path, "--yes"));
  const nameIn = (text: string) => /card (stick:[0-9a-f]{32})/.exec(text)?.[1];
  const generationIn = (text: string) => Number(/generation (\d+)/.exec(text)?.[1]);
  assert.equal(nameIn(again.stdout), nameIn(done.stdout), "it keeps its name");
  assert.ok(generationIn(again.stdout) > generationIn(done.stdout));

  await sure("mkfs.ext4", ["-q", "-F", loop.path]);
  const machine = await lab.machine("mounted");
  await machine.sh(`mkdir -p /run/m && mount ${loop.path} /run/m`);
  // In a machine's own view of the system: only the kernel can tell that somebody uses it.
  await refused(/Cannot format .*: it is in use: .*\(EBUSY\)/, words(loop.path, "--yes"));
  const inside = await machine.run([
    ...[Deno.execPath(), "run", "-A", "--no-prompt", "--no-check", "--cached-only"],
    ...[new URL("../../main.ts", import.meta.url).pathname, "token", ...words(loop.path, "--yes")],
  ]);
  assert.match(inside.stderr, new RegExp(`${loop.path} is mounted at /run/m; unmount it first`));
  await machine.sh("umount /run/m");

  const root = await sure("bash", ["-c", "findmnt -no SOURCE / | sed 's/\\[.*//'"]);
  if (/^\/dev\//.test(root)) {
    await refused(/the system runs from it|name the whole device/, words(root.trim(), "--yes"));
  }
  await refused(/neither a disk nor a file/, words("/dev/null", "--yes"));
  await refused(/it is not there; a file needs --size/, words(`${dir}/none`, "--yes"));
  await sure("truncate", ["-s", "100M", `${dir}/small.img`]);
  await refused(/it has 100 MiB; at least \d+ MiB are needed/, words(`${dir}/small.img`, "--yes"));
  await refused(/there already/, words(`${dir}/small.img`, "--size", "512M"));
  await refused(/expected such as 512M/, words(`${dir}/x.img`, "--size", "lots"), 2);
  await Deno.writeTextFile(`${dir}/short`, "short\n");
  await refused(
    /it has 5 bytes; take 10 to 64/,
    words(loop.path, "--yes", "--password-file", `${dir}/short`),
  );
  await using locked = await LoopDevice.open(`${dir}/small.img`, ["--read-only"]);
  await refused(/it is write-protected/, words(locked.path, "--yes"));
});

labTest("it asks for the device's name, and does nothing without it", async () => {
  await using lab = await Lab.open();
  const { dir } = lab;
  await makeIssuer(dir);
  const file = `${dir}/disk.img`;
  await sure("truncate", ["-s", "256M", file]);
  const main = new URL("../../main.ts", import.meta.url).pathname;
  const words = [
    ...[Deno.execPath(), "run", "-A", "--no-prompt", "--no-check", "--cached-only", main, "token"],
    ...["format", file, "--issuer", `${dir}/issuer`, ...settings(SERVER)],
    ...["--password-file", `${dir}/password`],
  ];
  const typed = (text: string) =>
    run("bash", [
      "-c",
      // Typed ahead: a terminal keeps it until somebody asks.
      `printf '${text}\\n' | script -qec '${
        words.map((word) => word.replaceAll(" ", "\\ ")).join(" ")
      }' /dev/null`,
    ]);
  const other = await typed("yes");
  assert.match(other.stdout, /Everything on it will be lost: 0\.3 GB, .*disk\.img/);
  assert.match(other.stdout, /Cannot format .*: not confirmed/);
  assert.equal((await Deno.readFile(file)).findIndex((byte) => byte !== 0), -1, "untouched");
  const right = await typed("disk.img");
  assert.match(right.stdout, /Issued profile/);
  assert.match(right.stdout, /Checking: +\d+ %/);
});
