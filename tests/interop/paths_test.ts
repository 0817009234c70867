/** Ways that packets take outside the tunnel: NAT, several addresses, ones that go away, loops. */
import assert from "node:assert/strict";
import { Capture } from "../lab/capture.ts";
import { Lab } from "../lab/lab.ts";
import { type Machine, sleep } from "../lab/machine.ts";
import { labTest } from "../lab/needs.ts";
import type { Packet } from "../lab/packet.ts";
import {
  endsTest,
  type Implementation,
  INSIDE_A,
  INSIDE_B,
  pair,
  transfersOf,
  until,
  WireguardEnd,
} from "./wireguard.ts";

const BOTH_WAYS = [
  { a: "ours", b: "wireguard-go" },
  { a: "wireguard-go", b: "ours" },
  { a: "ours", b: "kernel" },
  { a: "kernel", b: "ours" },
] as const;

/** `a` at home behind a NAT that forgets after two seconds; `b` outside doesn't know where `a` is. */
async function behindNat(
  lab: Lab,
  ends: { a: Implementation; b: Implementation },
): Promise<{ a: WireguardEnd; b: WireguardEnd; nat: Machine }> {
  const [home, nat, outside] = await Promise.all(
    ["home", "nat", "outside"].map((name) => lab.machine(name)),
  );
  assert.ok(home !== undefined && nat !== undefined && outside !== undefined);
  await lab.link(home, "eth0", nat, "lan0");
  await lab.link(nat, "wan0", outside, "eth0");
  await home.sh("ip addr add 10.1.0.2/24 dev eth0; ip route add default via 10.1.0.1");
  await outside.sh("ip addr add 192.0.2.2/24 dev eth0");
  await nat.sh(`
    ip addr add 10.1.0.1/24 dev lan0; ip addr add 192.0.2.1/24 dev wan0
    echo 1 > /proc/sys/net/ipv4/ip_forward
    nft -f - <<'END'
table ip nat {
  chain out {
    type nat hook postrouting priority srcnat
    oifname "wan0" meta l4proto udp masquerade to :20000-29999
  }
}
table ip guard {
  chain in {
    type filter hook forward priority filter; policy drop
    ct state established,related accept
    iifname "lan0" accept
  }
}
END
    ${udpTimeouts(2)}`);
  const [a, b] = await Promise.all([
    WireguardEnd.start(home, { implementation: ends.a }),
    WireguardEnd.start(outside, { implementation: ends.b }),
  ]);
  await a.address(...INSIDE_A);
  await b.address(...INSIDE_B);
  await a.peer(b.keys, "endpoint 192.0.2.2:51820 allowed-ips 10.7.0.2/32,fd07::2/128");
  await b.peer(a.keys, "allowed-ips 10.7.0.1/32,fd07::1/128");
  return { a, b, nat };
}

/** A shell's words that make a NAT forget after so many seconds. */
function udpTimeouts(seconds: number): string {
  return ["udp_timeout", "udp_timeout_stream"]
    .map((name) => `echo ${seconds} > /proc/sys/net/netfilter/nf_conntrack_${name}`).join("\n");
}

for (const ends of BOTH_WAYS) {
  endsTest(
    [ends.a, ends.b],
    `${ends.a} behind a NAT of 2 s, ${ends.b} outside: lost without keepalive, kept with it`,
    async () => {
      await using lab = await Lab.open();
      const { a, b, nat } = await behindNat(lab, ends);
      assert.ok(await a.ping("10.7.0.2"));
      const [before] = await b.show("endpoints");
      assert.match(before ?? "", /^192\.0\.2\.1:/);
      // Other ports for whatever comes anew, so that it can't get the old one again.
      await nat.sh(`
        nft flush chain ip nat out
        nft add rule ip nat out oifname wan0 meta l4proto udp masquerade to :30000-39999`);
      await sleep(4000);
      const { code } = await b.machine.run(["ping", "-c", "1", "-W", "1", "10.7.0.1"]);
      assert.notEqual(code, 0, "the NAT has forgotten: without this the test tests nothing");
      assert.ok(await a.ping("10.7.0.2"));
      const [after] = await b.show("endpoints");
      assert.notEqual(after, before, "the NAT chose another port, and it was learnt");
      // Longer, so that a keepalive may be late on a busy machine.
      await nat.sh(udpTimeouts(4));
      await a.peer(b.keys, "persistent-keepalive 1");
      await sleep(6000);
      assert.ok(await b.ping("10.7.0.1", { count: 2 }), "the keepalive held the way open");
      assert.deepEqual(await b.show("endpoints"), [after]);
    },
  );

  endsTest(
    [ends.a, ends.b],
    `${ends.a} calls ${ends.b} at its second address: answers come from there, until it is removed`,
    async () => {
      await using lab = await Lab.open();
      const { a, b } = await pair(lab, ends);
      await b.machine.sh(`
        ip addr add 192.0.2.22/24 dev eth0; ip addr add 2001:db8::22/64 dev eth0 nodad
        ip addr add 198.51.100.22/32 dev lo`);
      await a.machine.sh("ip route add 198.51.100.22/32 via 192.0.2.2");
      for (const address of ["198.51.100.22", "[2001:db8::22]", "192.0.2.22"]) {
        const endpoint = `${address}:51820`;
        await a.peer(b.keys, `endpoint ${endpoint}`);
        assert.ok(await a.ping("10.7.0.2", { count: 2 }));
        assert.ok(await b.ping("10.7.0.1", { count: 2 }));
        assert.deepEqual(await a.show("endpoints"), [endpoint]);
      }
      // The stock ones go on sending from the address that is gone, until their next handshake.
      if (ends.b !== "ours") return;
      const [before] = await a.show("latest-handshakes");
      await b.machine.sh("ip addr del 192.0.2.22/24 dev eth0");
      await until("the answer from the other address", () => b.ping("10.7.0.1"));
      assert.deepEqual(await a.show("endpoints"), ["192.0.2.2:51820"]);
      assert.ok(await a.ping("10.7.0.2", { count: 3 }));
      assert.deepEqual(await a.show("latest-handshakes"), [before], "the same session goes on");
    },
  );

  endsTest(
    [ends.a, ends.b],
    `${ends.a} and ${ends.b}: padding, bytes and handshake times are what the wire saw`,
    async () => {
      await using lab = await Lab.open();
      const { a, b } = await pair(lab, ends);
      await using capture = await Capture.start(lab, { machine: a.machine, ifname: "eth0" });
      const sizes = [0, 1, 4, 5, 100, 1375, 1380, 1391, 1392];
      for (const size of sizes) assert.ok(await a.ping("10.7.0.2", { size }));
      const packets = (await capture.packets()).filter(({ kind }) => kind === "udp");
      const { aReceived, aSent, bReceived, bSent } = await transfersOf({ a, b });
      const bytesFrom = (source: string) =>
        packets.filter((packet) => packet.source === source)
          .reduce((sum, { length }) => sum + length - 14 - 20 - 8, 0);
      assert.deepEqual([aSent, bReceived], [bytesFrom("192.0.2.1"), bytesFrom("192.0.2.1")]);
      assert.deepEqual([bSent, aReceived], [bytesFrom("192.0.2.2"), bytesFrom("192.0.2.2")]);
      for (const source of ["192.0.2.1", "192.0.2.2"]) {
        const lengths = packets.filter((packet) => packet.source === source)
          .filter(({ payload }) => payload[0] === 4).map(({ length }) => length - 14 - 20 - 8 - 32)
          .filter((length) => length > 0);
        const expected = sizes.map((size) => Math.min(1420, Math.ceil((size + 28) / 16) * 16));
        assert.deepEqual(lengths, expected);
      }
      const secondOf = (packet: Packet | undefined) => Math.floor((packet?.at ?? NaN) / 1000);
      const initiation = packets.find(({ payload }) => payload[0] === 1);
      for (const [end, source] of [[a, "192.0.2.1"], [b, "192.0.2.2"]] as const) {
        const [at] = await end.show("latest-handshakes");
        // Complete is a handshake after its first message, and before its end sends data.
        const data = packets.find((packet) => packet.source === source && packet.payload[0] === 4);
        const [first, last] = [secondOf(initiation), secondOf(data)];
        const which = `${end.implementation}: ${at}, initiation ${first}, data ${last}`;
        assert.ok(Number(at) >= first && Number(at) <= last, which);
      }
    },
  );
}

labTest(
  "an endpoint inside its own allowed IPs: the loop is cut, and the machine lives",
  async () => {
    await using lab = await Lab.open();
    const { a, b } = await pair(lab, { a: "ours", b: "wireguard-go" });
    assert.ok(await a.ping("10.7.0.2"));
    await a.peer(b.keys, "allowed-ips 10.7.0.2/32,192.0.2.2/32");
    await a.machine.sh("ip route add 192.0.2.2/32 dev wg0");
    const processorTime = () => {
      const [user = 0, system = 0] = Deno.readTextFileSync(`/proc/${a.process.pid}/stat`)
        .split(") ")[1]?.split(" ").slice(11, 13).map(Number) ?? [];
      return user + system;
    };
    const sent = async () => Number((await a.show("transfer"))[1]);
    const [before, beforeTime] = [await sent(), processorTime()];
    const words = ["ping", "-c", "20", "-i", "0.05", "-W", "1", "-s", "1000", "10.7.0.2"];
    await a.machine.run(words);
    await sleep(1500);
    const looped = await sent() - before;
    const percent = (processorTime() - beforeTime) / 3;
    console.log(`a loop: ${looped} bytes sent for 20 packets, processor ${percent.toFixed(0)} %`);
    assert.ok(looped < 200 * 1500, `${looped} bytes`);
    await a.machine.sh("ip route del 192.0.2.2/32 dev wg0");
    await until("the tunnel after the loop", () => a.ping("10.7.0.2"));
  },
);
