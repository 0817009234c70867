import { formatBytes, formatRate, formatTime } from "../../shared/format.ts";
import { ago } from "./ago.ts";
import { Card, Empty, Facts } from "./parts.tsx";
import type { ViewProps } from "./props.ts";

/** The tunnel: how much goes through it now, and what it is. */
export function TunnelCard({ screen, language, m }: ViewProps) {
  const { tunnel } = screen.status;
  const t = m.tunnel;
  if (tunnel === undefined) {
    return (
      <Card id="tunnel" title={t.title}>
        <Empty text={t.none} />
      </Card>
    );
  }
  const rate = screen.tunnelRate;
  return (
    <Card id="tunnel" title={t.title}>
      <div class="flows">
        <Flow
          name={t.received}
          kind="received"
          rate={rate?.received}
          total={`${formatBytes(tunnel.receivedBytes)} ${t.total}`}
        />
        <Flow
          name={t.sent}
          kind="sent"
          rate={rate?.sent}
          total={`${formatBytes(tunnel.sentBytes)} ${t.total}`}
        />
      </div>
      <div id="chart" class="chart" role="img" aria-label={t.chart}></div>
      <p class="soft caption">{t.chart}</p>
      <Facts
        facts={[
          { name: t.endpoint, value: <code>{tunnel.endpoint}</code> },
          {
            name: tunnel.keys === "manual" ? t.answer : t.handshake,
            value: <Handshake screen={screen} language={language} m={m} />,
          },
          { name: t.identity, value: t.identityWay[tunnel.identity] },
          { name: t.keys, value: <span data-keys={tunnel.keys}>{t.keysWay[tunnel.keys]}</span> },
          {
            name: t.carrier,
            value: <span data-carrier={tunnel.carrier}>{t.carrierWay[tunnel.carrier]}</span>,
          },
          { name: t.destinations, value: <Codes values={tunnel.destinations} /> },
          { name: t.otherTraffic, value: t.otherTrafficWay[tunnel.otherTraffic] },
          { name: t.inbound, value: <Inbound screen={screen} language={language} m={m} /> },
          { name: t.addresses, value: <Codes values={tunnel.addresses} /> },
          { name: t.interface, value: <code>{tunnel.interface}</code> },
        ]}
      />
    </Card>
  );
}

function Flow(
  props: { name: string; kind: "sent" | "received"; rate: number | undefined; total: string },
) {
  return (
    <div class={`flow ${props.kind}`}>
      <p class="flow-name">{props.name}</p>
      <p class="flow-rate" data-rate={props.kind}>
        {props.rate === undefined ? "–" : formatRate(props.rate)}
      </p>
      <p class="soft">{props.total}</p>
    </div>
  );
}

function Handshake({ screen, language, m }: ViewProps) {
  const at = screen.status.tunnel?.lastHandshake ?? 0;
  if (at === 0) return <span>{m.tunnel.noHandshake}</span>;
  return (
    <time datetime={new Date(at).toISOString()} title={formatTime(at, language)}>
      {ago(m.ago, at, screen.status.now)}
    </time>
  );
}

/** What the profile lets the inside begin, and which terminal that reaches. */
function Inbound({ screen, m }: ViewProps) {
  const rules = screen.status.tunnel?.inbound ?? [];
  if (rules.length === 0) return <span>{m.tunnel.inboundNone}</span>;
  return (
    <span class="codes" id="inbound">
      {rules.map(({ rule, to }) => (
        <span key={rule}>
          <code>{rule}</code> → {to.length === 0
            ? <span class="soft">{m.tunnel.inboundNobody}</span>
            : <code>{to.join(", ")}</code>}
        </span>
      ))}
    </span>
  );
}

function Codes(props: { values: readonly string[] }) {
  return <span class="codes">{props.values.map((value) => <Code key={value} text={value} />)}
  </span>;
}

function Code(props: { text: string }) {
  return <code>{props.text}</code>;
}
