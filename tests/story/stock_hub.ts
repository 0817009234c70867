/** The hub's place taken by stock programs: wireguard-go, wg and the kernel's own forwarding. */
import { untilConfigurable } from "../lab/userspace_device.ts";
import type { Hub, HubClient } from "./hub.ts";
import type { WireGuardKeys } from "./keys.ts";
import type { StoryNetwork } from "./network.ts";
import { HUB } from "./plan.ts";

const IFNAME = "wg0";

export async function startStockHub(
  network: StoryNetwork,
  options: { keys: WireGuardKeys; clients: readonly HubClient[] },
): Promise<Hub> {
  const { hub, lab } = network;
  const running = await hub.spawn(["wireguard-go", "-f", IFNAME], {
    env: { WG_PROCESS_FOREGROUND: "1", LOG_LEVEL: "error" },
    stderr: "inherit",
  });
  await untilConfigurable({ machine: hub, ifname: IFNAME, process: running });
  const file = `${lab.dir}/stock-hub.conf`;
  await Deno.writeTextFile(file, configuration(options), { mode: 0o600 });
  await hub.sh(`
    wg setconf ${IFNAME} ${file}
    ip addr add ${HUB.tunnel.address}/24 dev ${IFNAME}
    ip addr add ${HUB.tunnel.address6}/64 dev ${IFNAME}
    ip link set ${IFNAME} mtu 1420 up
    sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1`);
  return {
    kind: "stock",
    publicKey: options.keys.public,
    async endpointOf(client) {
      const text = await hub.sh(`wg show ${IFNAME} endpoints`);
      const line = text.split("\n").find((each) => each.startsWith(client));
      const endpoint = line?.split("\t")[1];
      return endpoint === undefined || endpoint === "(none)" ? undefined : endpoint;
    },
    malformed: () => Promise.resolve(undefined),
    stop: () => running.stop(),
  };
}

function configuration(
  { keys, clients }: { keys: WireGuardKeys; clients: readonly HubClient[] },
): string {
  const peers = clients.map((client) => `
[Peer]
PublicKey = ${client.publicKey}
${client.presharedKey === undefined ? "" : `PresharedKey = ${client.presharedKey}\n`}AllowedIPs = ${
    client.addresses.join(", ")
  }
`);
  return `[Interface]
PrivateKey = ${keys.private}
ListenPort = ${HUB.port}
${peers.join("")}`;
}
