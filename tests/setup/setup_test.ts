import assert from "node:assert/strict";
import { isLocked, listsAreOld } from "./apt.ts";
import { missingPackages, PACKAGES } from "./packages.ts";

Deno.test("set-up: an empty system misses all of a purpose, and a file found counts", async () => {
  const root = await Deno.makeTempDir();
  try {
    const names = () => missingPackages("demo", root).map(({ name }) => name);
    const all = PACKAGES.filter((one) => one.for.includes("demo")).map(({ name }) => name);
    assert.deepEqual(names(), all);
    await Deno.mkdir(`${root}/usr/sbin`, { recursive: true });
    await Deno.writeTextFile(`${root}/usr/sbin/nft`, "");
    await Deno.mkdir(`${root}/usr/lib/aarch64-linux-gnu`, { recursive: true });
    await Deno.writeTextFile(`${root}/usr/lib/aarch64-linux-gnu/libnftables.so.1`, "");
    assert.deepEqual(names(), all.filter((name) => !["nftables", "libnftables1"].includes(name)));
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});

Deno.test("set-up: the demo needs no browser, tests need all that the demo needs", () => {
  const names = (purpose: "demo" | "tests") =>
    PACKAGES.filter((one) => one.for.includes(purpose)).map(({ name }) => name);
  assert.ok(!names("demo").includes("chromium"));
  assert.ok(names("tests").includes("chromium"));
  assert.deepEqual(names("demo").filter((name) => !names("tests").includes(name)), []);
});

Deno.test("set-up: apt's words for old lists and for a lock are known, others are failures", () => {
  assert.ok(listsAreOld("E: Unable to locate package age"));
  assert.ok(listsAreOld("Err:1 http://deb.debian.org x 404  Not Found [IP: 192.0.2.1 80]"));
  assert.ok(
    isLocked("E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 9 (apt)"),
  );
  assert.ok(isLocked("E: Unable to acquire the dpkg frontend lock"));
  const full = "dpkg: error: No space left on device";
  assert.ok(!listsAreOld(full) && !isLocked(full));
});
