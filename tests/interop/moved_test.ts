/** An interface that is moved to other network namespaces and renamed there. */
import type { DeviceStatus } from "../../tunnel/api.ts";
import { Lab } from "../lab/lab.ts";
import { labTest } from "../lab/needs.ts";
import { withPeer } from "./api_process.ts";
import { until } from "./wireguard.ts";

labTest("moved, renamed, moved on and back: it carries on, and its MTU is followed", async () => {
  await using lab = await Lab.open();
  const { end, machine } = await withPeer(lab, ["local"]);
  const mtuIs = (mtu: number) =>
    until(`an MTU of ${mtu}`, async () => (await end.ask<DeviceStatus>("status")).mtu === mtu);
  const ping = "ping -c 1 -W 20 10.7.0.2";
  await machine.sh(ping);

  await machine.sh(`
    ip netns add inner; ip netns add further
    ip link set wg0 netns inner
    ip -n inner addr add 10.7.0.1/24 dev wg0; ip -n inner link set wg0 up mtu 1380
    ip netns exec inner ${ping}`);
  await mtuIs(1380);
  // Another one of that name where it was must not be taken for it.
  await machine.sh("ip link add wg0 mtu 1000 type veth peer name other0");
  await machine.sh("ip -n inner link set wg0 mtu 1381");
  await mtuIs(1381);

  await machine.sh(`
    ip -n inner link set wg0 down; ip -n inner link set wg0 name wg7
    ip -n inner link set wg7 mtu 1290`);
  await mtuIs(1290);
  await machine.sh(`
    ip -n inner link set wg7 netns further
    ip -n further addr add 10.7.0.1/24 dev wg7; ip -n further link set wg7 up mtu 1281
    ip netns exec further ${ping}`);
  await mtuIs(1281);
  await machine.sh(`
    ip -n further link set wg7 netns 1
    ip addr add 10.7.0.1/24 dev wg7; ip link set wg7 up mtu 1400
    ${ping}`);
  await mtuIs(1400);
  await machine.sh("ip link set wg7 mtu 1300");
  await mtuIs(1300);

  await machine.sh("ip link del wg7");
  await until("its end", async () => {
    return (await machine.run(["ip", "link", "show", "wg7"])).code !== 0;
  });
});
