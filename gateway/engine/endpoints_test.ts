import assert from "node:assert/strict";
import { resolveEndpoints } from "./endpoints.ts";

Deno.test("endpoints: literals stay, names become addresses, nothing at all is an error", async () => {
  assert.deepEqual(await resolveEndpoints(["192.0.2.1:51820", "[2001:db8::1]:7"]), [
    "192.0.2.1:51820",
    "[2001:db8::1]:7",
  ]);
  const local = await resolveEndpoints(["localhost:9"]);
  assert.ok(local.length > 0 && local.every((one) => ["127.0.0.1:9", "[::1]:9"].includes(one)));
  assert.equal((await resolveEndpoints(["no-such-host.invalid:9", "192.0.2.1:9"])).length, 1);
  await assert.rejects(resolveEndpoints(["no-such-host.invalid:9"]), /Cannot find the server/);
});
