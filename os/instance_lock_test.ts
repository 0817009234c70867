import assert from "node:assert/strict";
import { AlreadyRunningError, holdInstance } from "./instance_lock.ts";

Deno.test("instance lock: a second gateway is told who has it, a third comes after a kill", async () => {
  const dir = await Deno.makeTempDir();
  const first = new Deno.Command(Deno.execPath(), {
    args: [
      "eval",
      `import { holdInstance } from ${JSON.stringify(import.meta.resolve("./instance_lock.ts"))};
       await holdInstance(${JSON.stringify(`${dir}/run`)}, { role: "gateway" });
       console.log("held"); setInterval(() => {}, 1000);`,
    ],
    stdout: "piped",
  }).spawn();
  try {
    const reader = first.stdout.getReader();
    assert.match(new TextDecoder().decode((await reader.read()).value), /held/);
    await assert.rejects(holdInstance(`${dir}/run`, { role: "gateway" }), (error) => {
      assert.ok(error instanceof AlreadyRunningError);
      assert.match(error.message, new RegExp(`process ${first.pid}\\b`));
      return true;
    });
    first.kill("SIGKILL");
    await first.status;
    await reader.cancel();
    const third = await holdInstance(`${dir}/run`, { role: "gateway" });
    assert.equal((await Deno.readTextFile(`${dir}/run/gateway.lock`)).trim(), String(Deno.pid));
    third.release();
  } finally {
    try {
      first.kill("SIGKILL");
    } catch {
      // Already gone.
    }
    await Deno.remove(dir, { recursive: true });
  }
});
