import assert from "node:assert/strict";
import type { SessionGrant } from "../../gateway/switch/grant.ts";
import { settledSize, sizeOf, untilLarger } from "../lab/growth.ts";
import { type Machine, sleep } from "../lab/machine.ts";
import { labTest } from "../lab/needs.ts";
import { BOX, GRANT, Network, OFFICE } from "./network.ts";

const TERMINAL = "192.168.80.50";
const INBOUND = {
  ping: true,
  forward: [
    { protocol: "tcp", port: 80, terminal: TERMINAL, terminalPort: 8080 },
    { protocol: "tcp", port: 80, terminal: "fd80::50", terminalPort: 8080 },
    { protocol: "tcp", port: 81, terminal: "192.168.80.77", terminalPort: 80 },
    { protocol: "udp", port: 9999, terminal: TERMINAL, terminalPort: 9999 },
  ],
} as const;

/** The office is no destination: what comes back from terminals is held to the rules alone. */
const QUIET: SessionGrant = { ...GRANT, networks: ["10.9.0.0/16"], domains: [], dns: [] };
const SPEAKING: SessionGrant = {
  ...QUIET,
  inbound: [
    ...[`tcp/80-89@${OFFICE.v4}`, "tcp/80@fd00:1::/32", `udp/9998@${OFFICE.v4}`],
    `icmp@${OFFICE.v4}`,
  ],
};

labTest("switch: what profile and configuration both allow is begun from inside", async () => {
  await using network = await Network.open({ inbound: INBOUND });
  const { office, terminal } = network;
  await network.serve();
  await network.watch("internet");
  const box = await network.box();
  await box.do({ do: "lock" });
  await box.do({ do: "prepare" });
  await box.do({ do: "start-lan" });

  // Without a word of the profile's nobody answers, not even the box.
  await box.do({ do: "open", grant: QUIET });
  const unheard = knockFrom(office, `${BOX.tunnel}/`);
  assert.ok(!await pings(office, BOX.tunnel));
  assert.equal((await unheard).code, 28);

  await box.do({ do: "open", grant: SPEAKING });
  assert.equal(
    (await fetchFrom(office, `${BOX.tunnel}/`)).stdout,
    `terminal sees ::ffff:${OFFICE.v4}\n`,
  );
  assert.equal((await fetchFrom(office, "[fd08::2]/")).stdout, `terminal sees ${OFFICE.v6}\n`);
  assert.ok(await pings(office, BOX.tunnel, 10));
  const absent = fetchFrom(office, `${BOX.tunnel}:81/`);
  // Another source, a port that leads nowhere, another protocol, pings of the other family.
  const unanswered = Promise.all([pings(office, "fd08::2"), echoes(office, BOX.tunnel)]);
  const refused = await Promise.all([
    knockFrom(office, `${BOX.tunnel}/`, "--interface", OFFICE.dns),
    knockFrom(office, `${BOX.tunnel}:82/`),
    knockFrom(office, `${BOX.tunnel}:8080/`),
    knockFrom(office, `${BOX.tunnel}:8443/`),
  ]);
  assert.deepEqual(refused.map(({ code }) => code), [28, 28, 28, 28]);
  assert.deepEqual(await unanswered, [false, false]);
  const drops = await box.do<Record<string, number>>({ do: "drops" });
  assert.ok((drops["inbound"] ?? 0) >= 6, JSON.stringify(drops));
  // A terminal that isn't there: the office is told, through the tunnel.
  assert.equal((await absent).code, 7, (await absent).stderr);
  // What gets no further than the box: its word about it, which quotes it, takes the tunnel too.
  const hops = (count: number) =>
    office.sh(`echo ${count} > /proc/sys/net/ipv4/ip_default_ttl
      echo ${count} > /proc/sys/net/ipv6/conf/tun0/hop_limit`);
  await hops(1);
  await Promise.all([knockFrom(office, `${BOX.tunnel}/`), knockFrom(office, "[fd08::2]/")]);
  assert.deepEqual(await network.sentText("internet"), []);
  await hops(64);
  // The terminal itself begins nothing by it.
  assert.equal((await fetchFrom(terminal, `${OFFICE.v4}/`)).code, 7);

  // The session ends: so does what is under way, and the next session doesn't take it up.
  const path = `${network.lab.dir}/stream`;
  const stream = await office.spawn(["curl", "-sS", "-N", "-o", path, `${BOX.tunnel}/stream`]);
  await untilLarger(path, 100_000);
  await box.do({ do: "close" });
  const atEnd = await settledSize(path);
  assert.equal((await knockFrom(office, `${BOX.tunnel}/`)).code, 28);
  await box.do({ do: "open", grant: SPEAKING });
  await sleep(1500);
  assert.equal(sizeOf(path), atEnd, "what was on the wire at the end, and no more");
  await stream.stop();
  assert.deepEqual(await network.sentText("internet"), [], "nothing of it left in the clear");
});

/** For what is answered, also by a machine with other things to do. */
function fetchFrom(machine: Machine, to: string, ...options: string[]) {
  return machine.run(["curl", "-sS", "--max-time", "20", ...options, `http://${to}`]);
}

/** For what nobody answers. */
function knockFrom(machine: Machine, to: string, ...options: string[]) {
  return fetchFrom(machine, to, "--max-time", "1.5", ...options);
}

async function pings(machine: Machine, address: string, seconds = 1): Promise<boolean> {
  return (await machine.run(["ping", "-c", "1", "-W", `${seconds}`, address])).code === 0;
}

async function echoes(machine: Machine, address: string): Promise<boolean> {
  const script = `exec 3<>/dev/udp/${address}/9999; printf x >&3; timeout 1 head -c 1 <&3`;
  return (await machine.run(["bash", "-c", script])).stdout === "x";
}
