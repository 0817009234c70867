import assert from "node:assert/strict";
import type { Machine } from "../lab/machine.ts";
import { sleep } from "../lab/machine.ts";
import { labTest } from "../lab/needs.ts";
import { QUIET } from "./box.ts";
import { GRANT, Network, OFFICE } from "./network.ts";
import type { Terminal } from "../../gateway/lan/api.ts";

/** Prints what the server offered; called by udhcpc with "bound". */
const UDHCPC_SCRIPT = `#!/bin/sh
[ "$1" = bound ] || exit 0
ip addr add $ip/$mask dev $interface
echo "ip=$ip mask=$mask router=$router dns=$dns portal=$(echo $opt114 | sed 's/../\\\\x&/g' | xargs -0 printf) lease=$lease"
`;

labTest("LAN: a stock DHCP client gets an address, the box and where its portal is", async () => {
  const mac = "02:00:00:aa:bb:cc";
  const led = { port: 80, terminal: "192.168.80.60", terminalPort: 80, mac };
  await using network = await Network.open({
    inbound: { ping: false, forward: [{ ...led, protocol: "tcp" }] },
  });
  const box = await network.box();
  await box.do({ do: "lock" });
  await box.do({ do: "prepare" });
  await box.do({ do: "start-lan" });
  const { terminal } = network;
  await terminal.sh("ip addr flush dev eth0; ip link set eth0 down; ip link set eth0 up");
  const script = `${network.lab.dir}/udhcpc.sh`;
  await Deno.writeTextFile(script, UDHCPC_SCRIPT, { mode: 0o755 });
  const said = await terminal.sh(
    `udhcpc -i eth0 -f -q -n -t 10 -T 1 -O 114 -x hostname:laptop -s ${script}`,
  );
  const [, address = ""] = /ip=(192\.168\.80\.1\d\d) mask=24 /.exec(said) ?? [];
  assert.ok(address !== "", said);
  assert.match(said, /router=192\.168\.80\.1 dns=192\.168\.80\.1 /);
  assert.match(said, /portal=https:\/\/192\.168\.80\.1\/captive-portal\/api /);
  assert.match(said, /lease=43200/);

  const found = (await box.do<Terminal[]>({ do: "terminals" })).find((one) => {
    return one.address === address;
  });
  assert.equal(found?.name, "laptop");
  assert.match(found?.mac ?? "", /^[0-9a-f:]{17}$/);
  const left = (found?.leaseUntil ?? 0) - Date.now();
  assert.ok(left > 11 * 3_600_000 && left <= 12 * 3_600_000 + 60_000, `${left} ms left`);

  // A terminal to which something is led has the address that it is led to.
  await terminal.sh(`ip link set eth0 down; ip link set eth0 address ${mac} up`);
  const reserved = await terminal.sh(`udhcpc -i eth0 -f -q -n -t 10 -T 1 -s ${script}`);
  assert.match(reserved, /ip=192\.168\.80\.60 /);

  // Router advertisements: an address of its own making, and a way to the box.
  let addresses = "";
  while (!/inet6 fd80::/.test(addresses)) {
    await sleep(50);
    addresses = await terminal.sh("ip -6 addr show dev eth0 scope global");
  }
  assert.match(await terminal.sh("ip -6 route show default"), /default via fe80::.* dev eth0/);

  // The lease survives a restart of the services.
  await box.do({ do: "stop-lan" });
  await box.do({ do: "start-lan" });
  const again = await box.do<Terminal[]>({ do: "terminals" });
  assert.ok(again.some((one) => one.address === address && one.name === "laptop"));
});

labTest("LAN: its services are nobody's root, and come back when they end", async () => {
  await using network = await Network.open();
  await network.serve();
  const box = await network.box();
  await box.do({ do: "lock" });
  await box.do({ do: "prepare" });
  await box.do({ do: "start-lan" });
  await box.do({ do: "open", grant: GRANT });
  const { gateway } = network;
  for (const kind of ["locked", "session"]) {
    const first = await pidOf(gateway, kind);
    const status = await gateway.sh(`cat /proc/${first}/status`);
    assert.match(status, /^Uid:\t(?!0\t)(\d+)\t\1\t\1\t\1$/m, "not root");
    assert.match(status, /^Gid:\t30\t/m, "the ruleset knows it by its group");
    assert.match(status, /^CapBnd:\t0000000000003400$/m, "three capabilities, never more");
    assert.match(status, /^NoNewPrivs:\t1$/m);
    await gateway.sh(`kill -KILL ${first}`);
    let second = first;
    while (second === first || !await isServing(gateway, second)) {
      await sleep(50);
      second = await pidOf(gateway, kind);
    }
  }
  assert.match(await until(() => network.ask("www.office.example"), /10\.0\.0\.80/), /NOERROR/);
  await box.do({ do: "close" });
  assert.match(await network.ask("www.office.example", "A"), /192\.168\.80\.1\n/);
  assert.deepEqual(await box.do({ do: "warnings" }), []);
});

labTest("LAN: what a killed run left is ended, a stranger with its number is not", async () => {
  await using network = await Network.open();
  const { gateway } = network;
  const box = await network.box();
  await box.do({ do: "lock" });
  await box.do({ do: "prepare" });
  await box.do({ do: "start-lan" });
  const [locked, session] = [await pidOf(gateway, "locked"), await gateway.spawn(["sleep", "600"])];
  const stranger = (await gateway.sh("pgrep -x sleep -n")).trim();
  await gateway.sh(`echo ${stranger} > /run/sekisho/dnsmasq-session.pid`);
  // Its own death would take dnsmasq along; a stopped one leaves it in the way.
  box.process.signal("SIGSTOP");
  const successor = await network.box();
  await successor.do({ do: "lock" });
  await successor.do({ do: "start-lan" });
  assert.notEqual(await pidOf(gateway, "locked"), locked);
  assert.ok(Deno.readTextFileSync(`/proc/${session.pid}/comm`).startsWith("sleep"));
  await session.stop();
});

labTest("LAN: services that can't start say so in one line", async () => {
  await using network = await Network.open();
  const { gateway } = network;
  const box = await network.box();
  await box.do({ do: "lock" });
  await box.do({ do: "prepare" });
  const squatter = await gateway.spawn([
    ...["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--pid-file"],
    ...["--user=root", "--group=root", "--listen-address=192.168.80.1", "--bind-interfaces"],
  ]);
  await until(() => gateway.sh("ss -lun"), /192\.168\.80\.1:53\b/);
  await assert.rejects(
    box.do({ do: "start-lan" }),
    /^Error: In the box: Cannot start DHCP and DNS of the LAN: [^\n]*in use[^\n]*$/,
  );
  await squatter.stop();
  await box.do({ do: "start-lan" });
});

labTest(
  "LAN: the session's DNS asks behind the tunnel only, whatever the tunnel does",
  async () => {
    await using network = await Network.open();
    await network.serve();
    await network.watch("internet");
    const box = await network.box();
    await box.do({ do: "lock" });
    await box.do({ do: "prepare" });
    await box.do({ do: "start-lan" });
    await box.do({ do: "open", grant: { ...GRANT, otherTraffic: "direct" } });
    await box.do({ do: "beat", on: true });
    assert.match(
      await network.ask("www.office.example"),
      new RegExp(OFFICE.v4.replaceAll(".", "\\.")),
    );
    assert.match(await network.ask("web.example"), /198\.51\.100\.80/);
    await network.gateway.sh("ip link del sekisho0");
    await network.ask("secret.office.example");
    await network.ask("other.web.example");
    const asked = (await network.sent("internet")).filter((packet) => packet.destinationPort === 53)
      .map(({ payload }) => new TextDecoder("latin1").decode(payload));
    assert.ok(asked.some((text) => text.includes("other")), "the capture sees questions");
    assert.deepEqual(asked.filter((text) => text.includes("office")), []);
  },
);

labTest(
  "LAN: the box's DNS group can't ask the Internet without a session, whoever is in it",
  async () => {
    await using network = await Network.open();
    await network.serve();
    await network.watch("internet");
    const box = await network.box();
    await box.do({ do: "lock" });
    const ask = (name: string, seconds: number, ...as: string[]) => {
      const dig = ["dig", `+time=${seconds}`, "+tries=1", "+short", "@203.0.113.53"];
      return network.gateway.run([...as, ...dig, `${name}.web.example`]);
    };
    const asDns = ["setpriv", "--reuid", "65534", "--regid", "30", "--clear-groups"];
    assert.match((await ask("box", 10)).stdout, /198\.51\.100\.80/, "the box itself may");
    assert.doesNotMatch((await ask("hidden", 1, ...asDns)).stdout, /198/);
    await box.do({ do: "open-switch", grant: GRANT });
    assert.doesNotMatch((await ask("hidden", 1, ...asDns)).stdout, /198/);
    await box.do({ do: "open-switch", grant: { ...GRANT, otherTraffic: "direct" } });
    await box.do({ do: "beat", on: true });
    assert.match((await ask("open", 10, ...asDns)).stdout, /198\.51\.100\.80/);
    const asked = (await network.sent("internet")).map(({ payload }) => {
      return new TextDecoder("latin1").decode(payload);
    });
    assert.ok(asked.some((text) => text.includes("open")));
    assert.ok(!asked.some((text) => text.includes("hidden")));
  },
);

labTest(
  "LAN: in a user namespace with one id, as without root, the services run all the same",
  async () => {
    await using network = await Network.open();
    const program = new URL("./box_program.ts", import.meta.url).pathname;
    const said = await network.gateway.run([
      ...["unshare", "--user", "--map-root-user", "--net", "bash", "-c"],
      `ip link add lan0 type veth peer name far; ip link set far up
     ip link add wan0 type veth peer name far1
     printf '%s\n' '{"do":"lock"}' '{"do":"prepare"}' '{"do":"start-lan"}' |
       "$1" run -A --no-prompt "$2" "$3"`,
      ...["-", Deno.execPath(), program, JSON.stringify(network.config)],
    ], { env: QUIET, cwd: "/" });
    const answers = said.stdout.trim().split("\n").map((line) => JSON.parse(line));
    assert.equal(answers.length, 4, said.stderr);
    for (const answer of answers) assert.ok("ok" in answer, JSON.stringify(answer));
  },
);

async function pidOf(gateway: Machine, kind: string): Promise<string> {
  return (await gateway.sh(`cat /run/sekisho/dnsmasq-${kind}.pid`)).trim();
}

async function isServing(gateway: Machine, pid: string): Promise<boolean> {
  const { stdout } = await gateway.run(["ss", "-lunp"]);
  return stdout.includes(`pid=${pid},`);
}

async function until(look: () => Promise<string>, expected: RegExp): Promise<string> {
  for (;;) {
    const text = await look();
    if (expected.test(text)) return text;
    await sleep(50);
  }
}
