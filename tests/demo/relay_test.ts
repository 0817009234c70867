import assert from "node:assert/strict";
import { Lab } from "../lab/lab.ts";
import { labTest } from "../lab/needs.ts";
import { openRelay } from "./relay.ts";

labTest("a relay carries a page out of a machine to the host's loopback", async () => {
  await using lab = await Lab.open();
  const machine = await lab.machine("inside");
  const program = new URL("../story/web_server.ts", import.meta.url).pathname;
  const server = await machine.spawn([
    Deno.execPath(),
    "run",
    "-A",
    "--cached-only",
    program,
    "inside",
  ], {
    stdout: "piped",
  });
  await server.child.stdout.getReader().read();
  await using relay = await openRelay(machine, {
    hostname: "127.0.0.1",
    port: 80,
    socket: `${lab.dir}/relay.sock`,
  });
  const pages = await Promise.all([1, 2, 3].map(async () => {
    const response = await fetch(`http://127.0.0.1:${relay.port}/`);
    return await response.text();
  }));
  assert.deepEqual(new Set(pages), new Set(["This is inside. You are 127.0.0.1.\n"]));
  const big = await fetch(`http://127.0.0.1:${relay.port}/big?seed=1&size=1000003`);
  assert.equal((await big.bytes()).length, 1_000_003);
  // Nothing answers there: the connection ends instead of hanging.
  await server.stop();
  await assert.rejects(fetch(`http://127.0.0.1:${relay.port}/`));
});
