import assert from "node:assert/strict";
import { exec, ExecError, execOk } from "./exec.ts";

Deno.test("exec: code, both streams and input come through", async () => {
  const result = await exec(["sh", "-c", "cat; echo oops >&2; exit 3"], { input: "hello" });
  assert.deepEqual(result, { code: 3, stdout: "hello", stderr: "oops\n" });
});

Deno.test("exec: a program that doesn't end is killed at its time", async () => {
  await assert.rejects(
    exec(["sleep", "600"], { timeoutMs: 50 }),
    (error) => error instanceof ExecError && error.reason === "timeout",
  );
});

Deno.test("exec: a missing program is told by name", async () => {
  await assert.rejects(exec(["no-such-program-here"]), {
    reason: "missing",
    message: /no-such-program-here: it is not installed/,
  });
});

Deno.test("exec: output beyond the bound is read but not kept", async () => {
  const { code, stdout } = await exec(["head", "-c", "300000", "/dev/zero"], { maxOutput: 1000 });
  assert.equal(code, 0);
  assert.equal(stdout.length, 1000);
});

Deno.test("exec: a program that ignores its input is no error", async () => {
  assert.equal((await exec(["true"], { input: "x".repeat(1 << 20) })).code, 0);
});

Deno.test("execOk: a failing program's last words are in the message", async () => {
  assert.equal(await execOk(["echo", "fine"]), "fine\n");
  await assert.rejects(execOk(["sh", "-c", "echo a reason >&2; exit 2"]), {
    reason: "failed",
    message: /code 2: a reason/,
  });
});
