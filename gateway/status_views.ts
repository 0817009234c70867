/** What people are shown of tunnel, terminals and refused packets in a gateway's status. No I/O. */
import type { GatewayConfig } from "./config/gateway_config.ts";
import type { Terminal } from "./lan/api.ts";
import type { Grant } from "./session/grant.ts";
import type { TunnelReport } from "./session/shell.ts";
import type { TerminalTraffic } from "./switch/api.ts";
import { viewInbound } from "./switch/inbound.ts";
import type { DropCounts, TerminalView, TunnelView } from "./view.ts";

export function viewTerminals(
  terminals: readonly Terminal[],
  traffic: ReadonlyMap<string, TerminalTraffic>,
): TerminalView[] {
  return terminals.map((terminal) => {
    const { sentBytes = 0, receivedBytes = 0 } = traffic.get(terminal.address) ?? {};
    return { ...terminal, sentBytes, receivedBytes };
  });
}

export function viewTunnel(
  { inbound }: Pick<GatewayConfig, "inbound">,
  { grant, tunnel }: { readonly grant: Grant; readonly tunnel?: TunnelReport },
): TunnelView {
  return {
    interface: grant.interface,
    endpoint: tunnel?.endpoint ?? grant.endpoints[0] ?? "",
    sentBytes: tunnel?.sentBytes ?? 0,
    receivedBytes: tunnel?.receivedBytes ?? 0,
    countedAt: tunnel?.countedAt ?? 0,
    lastHandshake: tunnel?.lastHandshake ?? 0,
    carrier: tunnel?.carrier ?? "userspace",
    identity: grant.identity,
    keys: grant.keys ?? "agreed",
    addresses: grant.addresses,
    destinations: [...grant.networks, ...grant.domains],
    otherTraffic: grant.otherTraffic,
    inbound: viewInbound(inbound, grant),
  };
}

/** The switch's counts, and the tunnel's own under names of their own. */
export function viewDrops(ofSwitch: DropCounts, tunnel: TunnelReport | undefined): DropCounts {
  const ofTunnel = Object.entries(tunnel?.drops ?? {})
    .filter(([, count]) => count > 0)
    .map(([reason, count]) => [`tunnel-${reason}`, count]);
  return { ...ofSwitch, ...Object.fromEntries(ofTunnel) };
}
