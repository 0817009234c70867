/** The configuration socket beside a `wg` that doesn't wait for it. */
import assert from "node:assert/strict";
import { faultTest, injecting } from "../lab/fault_injection.ts";
import { Lab } from "../lab/lab.ts";
import { sleep } from "../lab/machine.ts";
import { OURS, until } from "./wireguard.ts";

faultTest("a `wg` that asks before the socket listens doesn't end it", async () => {
  await using lab = await Lab.open();
  const machine = await lab.machine("a");
  const record = `${lab.dir}/listen.txt`;
  const slow = injecting("listen:delay_enter=1000000", record);
  await machine.spawn([...slow, ...OURS, "wg0", "--foreground"], { stderr: "inherit" });
  let refused = 0;
  await until("wg0", async () => {
    const { code } = await machine.run(["wg", "show", "wg0"]);
    if (code !== 0) refused++;
    return code === 0;
  });
  assert.match(await Deno.readTextFile(record), /listen\(.*DELAYED/);
  assert.ok(refused > 0, "it never asked too early");
});

faultTest("a socket that is removed before it is watched ends the tunnel too", async () => {
  await using lab = await Lab.open();
  const machine = await lab.machine("a");
  const record = `${lab.dir}/watch.txt`;
  const slow = injecting("inotify_add_watch:delay_enter=1000000", record);
  const tunnel = await machine.spawn([...slow, ...OURS, "wg0", "--foreground"], {
    stderr: "inherit",
  });
  await until("its end", async () => {
    await machine.run(["rm", "/run/wireguard/wg0.sock"]);
    return await Promise.race([tunnel.status.then(() => true), sleep(50).then(() => false)]);
  });
  assert.match(await Deno.readTextFile(record), /inotify_add_watch\(.*DELAYED/);
  assert.equal((await tunnel.status).code, 0);
});
