import assert from "node:assert/strict";
import { lockInstance } from "./instance_lock.ts";

Deno.test("instance lock: a second holder is refused until the first lets go or is killed", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/run/lock`;
  try {
    const first = lockInstance(path);
    assert.ok(first);
    assert.equal(lockInstance(path), undefined);
    first[Symbol.dispose]();

    const script = `import { lockInstance } from ${
      JSON.stringify(import.meta.resolve("./instance_lock.ts"))
    }; console.log(lockInstance(${JSON.stringify(path)}) ? "mine" : "taken");
      await new Promise((done) => setTimeout(done, 60_000));`;
    const other = new Deno.Command(Deno.execPath(), { args: ["eval", script], stdout: "piped" })
      .spawn();
    const reader = other.stdout.getReader();
    assert.equal(new TextDecoder().decode((await reader.read()).value), "mine\n");
    assert.equal(lockInstance(path), undefined);
    other.kill("SIGKILL");
    await reader.cancel();
    await other.status;
    const again = lockInstance(path);
    assert.ok(again);
    again[Symbol.dispose]();
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
