/** A gateway's status in Prometheus' words. @core */
import type { GatewayStatus } from "../../gateway/view.ts";

/** Prometheus text format 0.0.4. */
export const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** A status in Prometheus' words; addresses, names and holders stay out of it. */
export function metricsText(status: GatewayStatus, web: { listeners: number }): string {
  const { tunnel, terminals } = status;
  const sum = (pick: (terminal: GatewayStatus["terminals"][number]) => number) =>
    terminals.reduce((total, terminal) => total + pick(terminal), 0);
  return [
    metric("build_info", "gauge", "Version that runs.", [[{ version: status.version }, 1]]),
    metric("start_time_seconds", "gauge", "Start, in Unix seconds.", [[
      {},
      status.startedAt / 1000,
    ]]),
    metric("session_phase", "gauge", "1 for the phase of the card session.", [
      [{ phase: status.session.phase }, 1],
    ]),
    metric("session_up", "gauge", "1 while a card holds the tunnel up.", [
      [{}, status.session.phase === "up" ? 1 : 0],
    ]),
    metric("readers", "gauge", "Card readers.", [[{}, status.readers.length]]),
    metric("terminals", "gauge", "Terminals known on the LAN.", [[{}, terminals.length]]),
    metric("terminals_sent_bytes_total", "counter", "Bytes forwarded from terminals.", [
      [{}, sum((terminal) => terminal.sentBytes)],
    ]),
    metric("terminals_received_bytes_total", "counter", "Bytes forwarded to terminals.", [
      [{}, sum((terminal) => terminal.receivedBytes)],
    ]),
    ...(tunnel === undefined ? [] : [
      metric("tunnel_sent_bytes_total", "counter", "Bytes sent in this tunnel.", [
        [{}, tunnel.sentBytes],
      ]),
      metric("tunnel_received_bytes_total", "counter", "Bytes received in this tunnel.", [
        [{}, tunnel.receivedBytes],
      ]),
      metric("tunnel_last_handshake_seconds", "gauge", "Last handshake, in Unix seconds.", [
        [{}, tunnel.lastHandshake / 1000],
      ]),
    ]),
    metric(
      "dropped_packets_total",
      "counter",
      "Packets that the switch dropped.",
      Object.entries(status.drops).map(([reason, packets]) => [{ reason }, packets]),
    ),
    metric("warnings", "gauge", "Things that need an administrator.", [
      [{}, status.warnings.length],
    ]),
    metric("web_listeners", "gauge", "Open event streams.", [[{}, web.listeners]]),
  ].join("");
}

function metric(
  name: string,
  type: "gauge" | "counter",
  help: string,
  samples: readonly (readonly [Readonly<Record<string, string>>, number])[],
): string {
  const full = `sekisho_${name}`;
  const lines = samples.map(([labels, value]) => `${full}${labelText(labels)} ${value}\n`);
  return `# HELP ${full} ${help}\n# TYPE ${full} ${type}\n${lines.join("")}`;
}

function labelText(labels: Readonly<Record<string, string>>): string {
  const parts = Object.entries(labels).map(([name, value]) => {
    const escaped = value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
    return `${name}="${escaped}"`;
  });
  return parts.length === 0 ? "" : `{${parts.join(",")}}`;
}
