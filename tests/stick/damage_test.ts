/** Damage at each kind of place, as somebody with the right password meets it at a computer. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { AREA } from "../../token/stick/layout.ts";
import { Lab } from "../lab/lab.ts";
import { labTest } from "../lab/needs.ts";
import { makeStick, PASSWORD, run, sure } from "./stick.ts";

const LAUNCHER = fileURLToPath(new URL("../../.build/stick/launcher.js", import.meta.url));
const SERVER = {
  key: "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=",
  endpoint: "192.0.2.2:51820",
};

labTest("each kind of damage has its own message, and none is a wrong password", async () => {
  await using lab = await Lab.open();
  const { dir } = lab;
  const { image, issuer } = await makeStick(dir, { server: SERVER });
  const { partitiontable } = JSON.parse(await sure("sfdisk", ["--json", image]));
  const hidden = partitiontable.partitions[1].start * 512;
  const { size } = await Deno.stat(image);
  const program = hidden + AREA.program;

  /** What the launcher says of a copy in which these bytes are others. */
  const said = async (places: readonly number[], { cut = size } = {}) => {
    const copy = `${dir}/copy.img`;
    await sure("cp", ["--sparse=always", image, copy]);
    {
      using file = await Deno.open(copy, { read: true, write: true });
      const four = new Uint8Array(4);
      for (const at of places) {
        await file.seek(at, Deno.SeekMode.Start);
        await file.read(four);
        await file.seek(at, Deno.SeekMode.Start);
        await file.write(four.map((byte) => byte ^ 0x5a));
      }
      await file.truncate(cut);
    }
    const { code, stderr } = await run(Deno.execPath(), [
      ...["run", "-A", "--no-prompt", "--no-config", "--cached-only", LAUNCHER],
      ...["--device", copy, "--trust", issuer, "--runtime", "/dev/null"],
    ], `${PASSWORD}\n`);
    await Deno.remove(copy);
    assert.notEqual(code, 0);
    assert.doesNotMatch(stderr, /wrong password/i);
    return stderr.trim().split("\n").at(-1) ?? "";
  };

  const whole = /^Cannot run \/proc\/self\/fd\/\d+: /;
  const cases: [string, readonly number[], RegExp][] = [
    ["nothing", [], whole],
    ["the front table", [512 + 16], whole],
    ["the back table", [size - 500], whole],
    ["both tables", [512 + 16, size - 500], /its partition table is damaged; tell/],
    ["the file system", [(1 << 20) + 40, (1 << 20) + 20_000], whole],
    ["the head", [hidden + 200], /the head of its hidden part is damaged; tell/],
    ["the key", [hidden + AREA.key + 120], /its sealed key is damaged; tell/],
    ["the profile", [hidden + AREA.profile + 900], /its profile is damaged; tell/],
    ["the program's head", [program + 40], /its program is damaged at its head; tell/],
    ["its first chunk", [program + 2000], /its program is damaged at chunk 1 of \d; tell/],
    ["its third chunk", [program + 150_000], /its program is damaged at chunk 3 of \d; tell/],
  ];
  for (const [what, places, expected] of cases) {
    assert.match(await said(places), expected, what);
  }
  // A copy that is not whole has lost the back table too, and what lay before it.
  assert.match(await said([], { cut: hidden + 100_000 }), /partition table is damaged|ends before/);
  assert.match(await said([], { cut: 40 << 20 }), /partition table is damaged|ends before/);
});
