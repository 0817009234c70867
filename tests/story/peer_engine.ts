/** The engine's place in a gateway taken by wireguard-go, set up by hand: for comparing. */
import { RULE_PREFERENCES } from "../../gateway/uplink/plan.ts";
import { untilConfigurable } from "../lab/userspace_device.ts";
import type { Box } from "./box.ts";
import type { Card } from "./card.ts";
import type { Hub } from "./hub.ts";
import { HUB, OFFICE } from "./plan.ts";

const IFNAME = "wg-peer";

/** Runs in the box's namespaces until disposed of. The gateway must be stopped. */
export async function startBareWireguardGo(
  box: Box,
  { card, hub, dir }: { card: Card; hub: Hub; dir: string },
): Promise<AsyncDisposable> {
  const { machine } = box;
  if (card.privateKey === undefined) {
    throw new Error("Cannot compare with wireguard-go: the card does not give its key away");
  }
  const running = await machine.spawn(["wireguard-go", "-f", IFNAME], {
    env: { LOG_LEVEL: "error" },
    stderr: "inherit",
  });
  await untilConfigurable({ machine, ifname: IFNAME, process: running });
  const file = `${dir}/bare.conf`;
  await Deno.writeTextFile(
    file,
    `[Interface]
PrivateKey = ${card.privateKey.toBase64()}
[Peer]
PublicKey = ${hub.publicKey}
${card.presharedKey === undefined ? "" : `PresharedKey = ${card.presharedKey.toBase64()}\n`}\
AllowedIPs = ${OFFICE.networks.join(", ")}
Endpoint = ${HUB.line.box.address}:${HUB.port}
`,
    { mode: 0o600 },
  );
  await machine.sh(`
    nft flush ruleset
    # A gateway leaves the box closed: without its ruleset its routes forward nothing.
    for family in -4 -6; do for place in ${RULE_PREFERENCES.join(" ")}; do
      while ip $family rule del pref $place 2>/dev/null; do :; done
    done; done
    wg setconf ${IFNAME} ${file}
    ${card.addresses.map((each) => `ip addr add ${each} dev ${IFNAME}`).join("\n")}
    ip link set ${IFNAME} mtu 1420 up
    ${OFFICE.networks.map((each) => `ip route add ${each} dev ${IFNAME}`).join("\n")}
    sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
    nft -f - <<'END'
table inet bare {
  chain masking {
    type nat hook postrouting priority srcnat;
    oifname "${IFNAME}" masquerade
  }
}
END`);
  return {
    async [Symbol.asyncDispose]() {
      await running.stop();
      await machine.sh("nft flush ruleset");
    },
  };
}
