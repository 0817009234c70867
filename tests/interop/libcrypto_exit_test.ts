/** What becomes of a process that ends while its threads are in libcrypto. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { Libcrypto } from "../../os/libcrypto.ts";

const PROGRAM = fileURLToPath(import.meta.resolve("./libcrypto_exit_program.ts"));
const TIMES = 3;

const library = Libcrypto.open();
library?.close();

Deno.test({
  name: library === undefined
    ? "a process ends cleanly while its threads are in libcrypto (skipped: no libcrypto here)"
    : "a process ends cleanly while its threads are in libcrypto",
  ignore: library === undefined,
  fn: async () => {
    for (let time = 0; time < TIMES; time++) {
      const { code, signal, stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", "--cached-only", "--no-check", PROGRAM],
      }).output();
      const said = new TextDecoder().decode(stderr);
      assert.deepEqual({ code, signal, said }, { code: 0, signal: null, said: "" });
    }
  },
});
