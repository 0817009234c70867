/** wg-quick(8) and wg(8) with our program as the userspace implementation. */
import assert from "node:assert/strict";
import { Lab } from "../lab/lab.ts";
import type { Machine } from "../lab/machine.ts";
import { labTest } from "../lab/needs.ts";
import {
  INSIDE_B,
  newKeys,
  ourProcesses,
  OURS,
  twoMachines,
  until,
  WireguardEnd,
} from "./wireguard.ts";

/** This kernel may have WireGuard itself: wg-quick must take ours. */
const NO_KERNEL_WIREGUARD = `
  ip() {
    case "$*" in
      "link add "*" type wireguard") echo "Not supported" >&2; return 1;;
      *) command ip "$@";;
    esac
  }
  export -f ip`;

class WgQuick {
  readonly machine: Machine;
  readonly config: string;
  readonly #program: string;

  private constructor(machine: Machine, parts: { config: string; program: string }) {
    this.machine = machine;
    this.config = parts.config;
    this.#program = parts.program;
  }

  static async make(lab: Lab, machine: Machine, config: string): Promise<WgQuick> {
    const program = `${lab.dir}/tunnel`;
    await Deno.writeTextFile(program, `#!/bin/sh\nexec ${OURS.join(" ")} "$@"\n`, { mode: 0o755 });
    const quick = new WgQuick(machine, { config: `${lab.dir}/wg0.conf`, program });
    await quick.write(config);
    return quick;
  }

  async write(config: string): Promise<void> {
    await Deno.writeTextFile(this.config, config, { mode: 0o600 });
  }

  async run(command: string): Promise<void> {
    const script = `${NO_KERNEL_WIREGUARD}
      export WG_QUICK_USERSPACE_IMPLEMENTATION=${this.#program}; wg-quick ${command}`;
    const { code, stderr } = await this.machine.run(["bash", "-c", script]);
    assert.equal(code, 0, stderr);
    if (command.startsWith("up")) assert.ok(stderr.includes(`[#] ${this.#program} wg0`), stderr);
  }
}

labTest("wg-quick with IPv4 and IPv6: up, changed by syncconf and set, saved, down", async () => {
  await using lab = await Lab.open();
  const machines = await twoMachines(lab);
  const b = await WireguardEnd.start(machines.b, { implementation: "wireguard-go" });
  await b.address(...INSIDE_B);
  const keys = await newKeys(machines.a);
  const presharedKey = (await machines.a.sh("wg genpsk")).trim();
  await b.peer(keys, "allowed-ips 10.7.0.1/32,fd07::1/128");
  const set = ["bash", "-c", `wg set wg0 peer ${keys.publicKey} preshared-key <(cat)`];
  assert.equal((await b.machine.run(set, { input: presharedKey })).code, 0);
  const config = (peers: string) =>
    `[Interface]
PrivateKey = ${keys.privateKey}
ListenPort = 51820
FwMark = 0x51
Address = 10.7.0.1/24, fd07::1/64
MTU = 1380
PostUp = echo up > ${lab.dir}/up
PreDown = rm ${lab.dir}/up
${peers}`;
  const peer = `[Peer]
PublicKey = ${b.keys.publicKey}
PresharedKey = ${presharedKey}
Endpoint = [2001:db8::2]:51820
AllowedIPs = 10.7.0.2/32, fd07::2/128, 10.77.0.0/16, fd77::/64
PersistentKeepalive = 25
`;
  const quick = await WgQuick.make(lab, machines.a, config(peer));
  const { a } = machines;
  const pings = async (address: string) =>
    (await a.run(["ping", "-c", "2", "-i", "0.2", "-W", "20", address])).code === 0;
  await quick.run(`up ${quick.config}`);
  assert.ok(await pings("10.7.0.2"));
  assert.ok(await pings("fd07::2"));
  assert.match(await a.sh("ip route show dev wg0"), /^10\.77\.0\.0\/16/m);
  assert.match(await a.sh("ip -6 route show dev wg0"), /^fd77::\/64/m);
  assert.match(await a.sh("ip link show wg0"), /mtu 1380/);
  assert.match(
    await a.sh("wg show wg0"),
    /fwmark: 0x51\n[^]*persistent keepalive: every 25 seconds/,
  );

  const stranger = await newKeys(a);
  const [, handshake] = (await a.sh("wg show wg0 latest-handshakes")).trim().split("\t");
  await quick.write(
    config(`${peer}[Peer]\nPublicKey = ${stranger.publicKey}\nAllowedIPs = 10.78.0.0/16\n`),
  );
  await a.sh(`wg syncconf wg0 <(wg-quick strip ${quick.config})`);
  assert.ok(await pings("10.7.0.2"));
  assert.equal((await a.sh("wg show wg0 peers")).trim().split("\n").length, 2);
  assert.ok(
    (await a.sh("wg show wg0 latest-handshakes")).includes(`${b.keys.publicKey}\t${handshake}`),
  );
  await a.sh(`wg set wg0 peer ${stranger.publicKey} remove`);
  assert.equal((await a.sh("wg show wg0 peers")).trim(), b.keys.publicKey);

  // Set anew without its preshared key, a peer has none, and nothing shows the old one.
  const conf = (await a.sh("wg showconf wg0")).replace(/^PresharedKey.*\n/m, "");
  await Deno.writeTextFile(`${lab.dir}/bare.conf`, conf);
  await a.sh(`wg setconf wg0 ${lab.dir}/bare.conf`);
  assert.equal((await a.sh("wg show wg0 preshared-keys")).trim(), `${b.keys.publicKey}\t(none)`);
  await a.sh(`wg syncconf wg0 <(wg-quick strip ${quick.config})`);
  await until("the session with the preshared key", () => pings("10.7.0.2"));

  await quick.run(`save ${quick.config}`);
  const saved = await Deno.readTextFile(quick.config);
  for (const line of ["ListenPort = 51820", "FwMark = 0x51", `PresharedKey = ${presharedKey}`]) {
    assert.ok(saved.includes(line), saved);
  }
  await quick.run(`down ${quick.config}`);
  await until("the end of our process", () => Promise.resolve(ourProcesses(a).length === 0));
  assert.equal((await a.sh("ip route; ip -6 route")).includes("wg0"), false);
  await assert.rejects(Deno.stat(`${lab.dir}/up`), "PreDown ran");
});

labTest(
  "wg-quick with a default route: everything but the tunnel itself goes through it",
  async () => {
    await using lab = await Lab.open();
    const machines = await twoMachines(lab);
    const b = await WireguardEnd.start(machines.b, { implementation: "wireguard-go" });
    await b.address(...INSIDE_B);
    await b.machine.sh("ip addr add 203.0.113.5/32 dev lo; ip addr add 2001:db8:5::5/128 dev lo");
    const keys = await newKeys(machines.a);
    await b.peer(keys, "allowed-ips 10.7.0.1/32,fd07::1/128");
    const quick = await WgQuick.make(
      lab,
      machines.a,
      `[Interface]
PrivateKey = ${keys.privateKey}
Address = 10.7.0.1/24, fd07::1/64
[Peer]
PublicKey = ${b.keys.publicKey}
Endpoint = 192.0.2.2:51820
AllowedIPs = 0.0.0.0/0, ::/0
`,
    );
    const { a } = machines;
    for (let round = 0; round < 2; round++) {
      await quick.run(`up ${quick.config}`);
      for (const address of ["203.0.113.5", "2001:db8:5::5", "10.7.0.2"]) {
        const ping = await a.run(["ping", "-c", "2", "-i", "0.2", "-W", "20", address]);
        assert.equal(ping.code, 0, `${address}: ${ping.stdout}`);
      }
      assert.match(await a.sh("ip rule"), /not from all fwmark 0xca6c lookup 51820/);
      await quick.run(`down ${quick.config}`);
      await until("the end of our process", () => Promise.resolve(ourProcesses(a).length === 0));
      assert.doesNotMatch(await a.sh("ip rule; ip -6 rule"), /51820/);
      const { code } = await a.run(["ping", "-c", "1", "-W", "1", "203.0.113.5"]);
      assert.notEqual(code, 0);
    }
  },
);
