/** The gateway's process as its owner meets it: alone in its network, ending when it is told to. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { Lab } from "../lab/lab.ts";
import { type Machine, type Running, sleep } from "../lab/machine.ts";
import { labTest } from "../lab/needs.ts";
import { lastEvents } from "../story/last_events.ts";
import { QUIET } from "./box.ts";

const MAIN = fileURLToPath(new URL("../../main.ts", import.meta.url));
const PORTAL = "https://192.168.80.1";

labTest("a second gateway in a network says so and ends, whatever its folders", async () => {
  await using lab = await Lab.open();
  const { box, terminal } = await twoMachines(lab);
  const first = await startGateway(lab, box, "first");
  for (const name of ["first", "second"]) {
    const { code, stderr } = await box.run(await commandOf(lab, name), { env: QUIET });
    assert.equal(code, 1, stderr);
    assert.match(
      stderr,
      /^Cannot start the gateway: another one runs .*\(process \d+\); stop it.*\n$/,
    );
  }
  assert.equal(await phase(terminal), "no-reader", "the first one goes on");
  first.signal("SIGKILL");
  await first.status;
  const second = await startGateway(lab, box, "second");
  await second.stop();
});

labTest("a gateway ends when told to, also while somebody holds a request open", async () => {
  await using lab = await Lab.open();
  const { box, terminal } = await twoMachines(lab);
  const gateway = await startGateway(lab, box, "first");
  const slow = await terminal.spawn([
    ...["bash", "-c"],
    `(printf 'POST /api/pin HTTP/1.1\\r\\nHost: 192.168.80.1\\r\\nOrigin: ${PORTAL}\\r\\n` +
    `Content-Type: application/json\\r\\nContent-Length: 400\\r\\n\\r\\n{"engine'; sleep 600) |
      openssl s_client -quiet -connect 192.168.80.1:443`,
  ]);
  const events = await terminal.spawn(["curl", "-skN", `${PORTAL}/api/events`]);
  await sleep(1000);
  const began = performance.now();
  gateway.signal("SIGTERM");
  const ended = await Promise.race([gateway.status, sleep(30_000)]);
  assert.ok(ended, "the gateway is still there after 30 s");
  assert.equal(ended.code, 0);
  assert.ok(performance.now() - began < 15_000);
  await Promise.all([slow.stop(), events.stop()]);
});

labTest("a gateway that can't look who is on its LAN says so once, and goes on", async () => {
  await using lab = await Lab.open();
  const { box, terminal } = await twoMachines(lab);
  const gateway = await startGateway(lab, box, "first");
  const leases = `${lab.dir}/first/leases/dnsmasq.leases`;
  await Deno.remove(leases).catch(() => {});
  await Deno.mkdir(leases);
  const faults = () =>
    lastEvents(`${lab.dir}/first`).split("\n").filter((line) => /network-fault/.test(line));
  while (faults().length === 0) await sleep(100);
  await sleep(2500);
  assert.equal(faults().length, 1, faults().join("\n"));
  assert.equal(await phase(terminal), "no-reader");
  await gateway.stop();
});

labTest("a terminal that hoards connections leaves room for others", async () => {
  await using lab = await Lab.open();
  const { box, terminal } = await twoMachines(lab);
  const gateway = await startGateway(lab, box, "first");
  const hoard = await terminal.spawn([
    ...["bash", "-c"],
    `held=0; for i in {1..700}; do exec {fd}<>/dev/tcp/192.168.80.1/443 && held=$((held + 1)); done
     echo held $held; sleep 600`,
  ], { stdout: "piped" });
  const { value } = await hoard.child.stdout.getReader().read();
  const held = Number(/held (\d+)/.exec(new TextDecoder().decode(value))?.[1]);
  assert.ok(held >= 200 && held <= 256, `${held} connections of one terminal`);
  await terminal.sh("ip addr add 192.168.80.51/24 dev eth0");
  const other = await terminal.run(["curl", "-sk", "--interface", "192.168.80.51", `${PORTAL}/`]);
  assert.equal(other.code, 0, "another terminal is answered");
  await hoard.stop();
  await untilLetGo(box);
  assert.equal(await phase(terminal), "no-reader", "and so is the first one afterwards");
  await gateway.stop();
});

async function twoMachines(lab: Lab): Promise<{ box: Machine; terminal: Machine }> {
  const [box, terminal, internet] = [
    await lab.machine("box"),
    await lab.machine("terminal"),
    await lab.machine("internet"),
  ];
  await lab.link(terminal, "eth0", box, "lan0");
  await lab.link(box, "wan0", internet, "eth0");
  await terminal.sh("ip addr add 192.168.80.50/24 dev eth0");
  return { box, terminal };
}

async function startGateway(lab: Lab, box: Machine, name: string): Promise<Running> {
  const gateway = await box.spawn(await commandOf(lab, name), { stderr: "inherit", env: QUIET });
  let over = false;
  void gateway.status.then(() => over = true);
  while ((await box.run(["curl", "-sk", "-o", "/dev/null", `${PORTAL}/`])).code !== 0) {
    if (over) throw new Error("The gateway ended; see its own message");
    await sleep(50);
  }
  return gateway;
}

/** Waits until no connection to the portal is left on the box's side. */
async function untilLetGo(box: Machine): Promise<void> {
  const list = "ss -Htn state established state close-wait state last-ack '( sport = :443 )'";
  for (let waited = 0; (await box.sh(list)) !== ""; waited += 50) {
    if (waited > 30_000) throw new Error("Waited in vain for the portal to let go");
    await sleep(50);
  }
}

/** Each name has a run folder and a state of its own. */
async function commandOf(lab: Lab, name: string): Promise<string[]> {
  const file = `${lab.dir}/${name}.toml`;
  const config = `name = "${name}"
state = "${lab.dir}/${name}"
run = "/run/${name}"
[lan]
interface = "lan0"
address = "192.168.80.1/24"
[internet]
interface = "wan0"
[token]
issuers = ["${"A".repeat(43)}"]
`;
  await Deno.writeTextFile(file, config);
  const deno = [Deno.execPath(), "run", "-A", "--cached-only", "--no-prompt", "--no-check", MAIN];
  return [...deno, "gateway", "--config", file];
}

async function phase(terminal: Machine): Promise<string> {
  const { stdout } = await terminal.run(["curl", "-sk", `${PORTAL}/api/portal`]);
  return (JSON.parse(stdout) as { phase: string }).phase;
}
