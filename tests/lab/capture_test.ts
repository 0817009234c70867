import assert from "node:assert/strict";
import { Capture, countUplink, macOf } from "./capture.ts";
import { Lab } from "./lab.ts";
import { labTest } from "./needs.ts";
import { describePacket } from "./packet.ts";

labTest("a capture tells tunnel packets from leaked ones, IPv4, IPv6 and DNS", async () => {
  await using lab = await Lab.open();
  const box = await lab.machine("box");
  const net = await lab.machine("net");
  await lab.link(box, "eth0", net, "eth0");
  await box.sh("ip addr add 192.0.2.1/24 dev eth0; ip addr add 2001:db8::1/64 dev eth0");
  await net.sh("ip addr add 192.0.2.2/24 dev eth0; ip addr add 2001:db8::2/64 dev eth0");
  const mac = await macOf(box, "eth0");
  const uplink = { mac, hub: { addresses: ["192.0.2.2", "2001:db8::2"], port: 51820 } };
  // Else the first packet would still wait for its neighbour's address when the count is taken.
  await box.sh("ping -c 1 -W 20 192.0.2.2 && ping -c 1 -W 20 2001:db8::2");
  await using capture = await Capture.start(lab, { machine: net, ifname: "eth0" });
  const before = Date.now();
  const wireguard = String.raw`printf '\1\0\0\0rest' >`;
  await box.sh(`${wireguard} /dev/udp/192.0.2.2/51820; ${wireguard} /dev/udp/2001:db8::2/51820`);
  let count = countUplink(await capture.packets(), uplink);
  assert.deepEqual(count.leaked.map(describePacket), []);
  assert.equal(count.tunnel.length, 2);
  const times = count.tunnel.map((packet) => packet.at);
  assert.ok(times.every((at) => at >= before - 1 && at <= Date.now() + 1), `${before} ${times}`);

  // Each on its own: what is not the tunnel's is seen, whatever it is.
  for (
    const [leak, expected] of [
      ["printf x > /dev/udp/192.0.2.2/53", /^udp 192\.0\.2\.1#\d+ > 192\.0\.2\.2#53 /],
      ["printf x > /dev/udp/2001:db8::2/53", /^udp 2001:db8::1#\d+ > 2001:db8::2#53 /],
      ["printf plain > /dev/udp/192.0.2.2/51820", /#51820 /],
      [
        "(: > /dev/tcp/192.0.2.2/80) 2>/dev/null || true",
        /^tcp 192\.0\.2\.1#\d+ > 192\.0\.2\.2#80 /,
      ],
      ["(: > /dev/tcp/2001:db8::2/80) 2>/dev/null || true", /^tcp 2001:db8::1/],
      ["ping -c 1 -W 5 192.0.2.2", /^icmp 192\.0\.2\.1 > 192\.0\.2\.2 98 bytes/],
      ["ping -c 1 -W 5 2001:db8::2", /^icmp 2001:db8::1 > 2001:db8::2 /],
    ] as const
  ) {
    const known = count.leaked.length;
    await box.sh(leak);
    count = countUplink(await capture.packets(), uplink);
    assert.match(count.leaked.slice(known).map(describePacket).join("\n"), expected);
  }
  assert.equal(countUplink(await capture.packets(Date.now()), uplink).leaked.length, 0);
});
