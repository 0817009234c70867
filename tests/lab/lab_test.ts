import assert from "node:assert/strict";
import { Lab } from "./lab.ts";
import { sleep } from "./machine.ts";
import { labTest } from "./needs.ts";

/** A busy kernel takes a while over a machine's end; a guard, not a measure. */
const ENDING_LOOKS = 2000;

labTest("the lab: machines on a wire reach each other, and nothing outlives it", async () => {
  let pids: number[];
  {
    await using lab = await Lab.open();
    const a = await lab.machine("a");
    const b = await lab.machine("b");
    await lab.link(a, "eth0", b, "eth0");
    await a.sh("ip addr add 192.0.2.1/24 dev eth0; ip -6 addr add 2001:db8::1/64 dev eth0");
    await b.sh("ip addr add 192.0.2.2/24 dev eth0; ip -6 addr add 2001:db8::2/64 dev eth0");
    await a.sh("ping -c 1 -W 20 192.0.2.2 && ping -c 1 -W 20 2001:db8::2");
    const sleeper = await b.spawn(["sleep", "1000"]);
    assert.equal(Deno.readTextFileSync(`/proc/${sleeper.pid}/comm`).trim(), "sleep");
    assert.ok(b.pids().includes(sleeper.pid));
    pids = [a.pid, b.pid, sleeper.pid];
    assert.equal((await a.run(["sh", "-c", "cat; exit 3"], { input: "x" })).stdout, "x");
    await assert.rejects(a.sh("echo no >&2; false"), /In a: .*no/);
  }
  for (let i = 0; i < ENDING_LOOKS && pids.some(alive); i++) await sleep(10);
  assert.deepEqual(pids.filter(alive), []);
});

labTest("the lab dies with the process that built it, even when killed", async () => {
  const script = `import { Lab } from ${JSON.stringify(import.meta.resolve("./lab.ts"))};
    const lab = await Lab.open(); const m = await lab.machine("x"); await m.spawn(["sleep", "1000"]);
    console.log(m.pid, lab.dir); await new Promise((r) => setTimeout(r, 60000));`;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["eval", script],
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.getReader();
  const [pid = "", dir = ""] = new TextDecoder().decode((await reader.read()).value).trim().split(
    " ",
  );
  assert.ok(alive(Number(pid)));
  child.kill("SIGKILL");
  await reader.cancel();
  await child.status;
  for (let i = 0; i < ENDING_LOOKS && alive(Number(pid)); i++) await sleep(10);
  assert.ok(!alive(Number(pid)));
  await Deno.remove(dir, { recursive: true });
});

labTest(
  "lab: a process that was started runs its own program, and ends also when it was stopped",
  async () => {
    await using lab = await Lab.open();
    const machine = await lab.machine("m");
    for (let round = 0; round < 30; round++) {
      const sleeper = await machine.spawn(["sleep", "1000"]);
      assert.equal(Deno.readTextFileSync(`/proc/${sleeper.pid}/comm`).trim(), "sleep");
      if (round % 10 === 0) sleeper.signal("SIGSTOP");
      await sleeper.stop(60_000);
    }
  },
);

function alive(pid: number): boolean {
  try {
    return !Deno.readTextFileSync(`/proc/${pid}/stat`).includes(") Z ");
  } catch {
    return false;
  }
}

labTest("lab: a program that isn't installed is an error at once, not an outcome", async () => {
  await using lab = await Lab.open();
  const machine = await lab.machine("m");
  await assert.rejects(machine.run(["no-such-program"]), /Cannot run no-such-program: it isn't/);
  assert.equal((await machine.run(["bash", "-c", "exit 127"])).code, 127);
});
