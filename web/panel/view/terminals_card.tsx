import type { TerminalView } from "../../../gateway/view.ts";
import { formatBytes, formatRate, formatTime } from "../../shared/format.ts";
import type { TerminalRate } from "../rates.ts";
import { Card, Empty } from "./parts.tsx";
import type { ViewProps } from "./props.ts";

/** Every terminal on the LAN with its traffic. */
export function TerminalsCard({ screen, language, m }: ViewProps) {
  const { terminals } = screen.status;
  const t = m.terminals;
  return (
    <Card
      id="terminals"
      title={t.title}
      aside={<span class="count">{String(terminals.length)}</span>}
    >
      {terminals.length === 0
        ? <Empty text={t.none} />
        : (
          <div class="scroll" tabindex={0} role="region" aria-labelledby="terminals-title">
            <table>
              <thead>
                <tr>
                  <th scope="col">{t.name}</th>
                  <th scope="col" class="number">{t.download}</th>
                  <th scope="col" class="number">{t.upload}</th>
                  <th scope="col" class="wide">{t.lease}</th>
                  <th scope="col" class="wide">MAC</th>
                </tr>
              </thead>
              <tbody>
                {terminals.map((terminal) => (
                  <TerminalRow
                    key={terminal.address}
                    terminal={terminal}
                    rate={screen.rates.get(terminal.address)}
                    leaseName={t.lease}
                    lease={terminal.leaseUntil === undefined
                      ? t.fixed
                      : formatTime(terminal.leaseUntil, language)}
                  />
                ))}
              </tbody>
            </table>
          </div>
        )}
    </Card>
  );
}

function TerminalRow(
  { terminal, rate, lease, leaseName }: {
    terminal: TerminalView;
    rate: TerminalRate | undefined;
    lease: string;
    leaseName: string;
  },
) {
  return (
    <tr>
      <th scope="row">
        {terminal.name === "" ? "–" : terminal.name}
        <small>{terminal.address}</small>
        <small class="narrow">{terminal.mac}</small>
        <small class="narrow">{`${leaseName} ${lease}`}</small>
      </th>
      <Traffic rate={rate?.down} total={terminal.receivedBytes} />
      <Traffic rate={rate?.up} total={terminal.sentBytes} />
      <td class="wide">{lease}</td>
      <td class="wide">
        <code>{terminal.mac}</code>
      </td>
    </tr>
  );
}

function Traffic(props: { rate: number | undefined; total: number }) {
  return (
    <td class="number">
      {props.rate === undefined ? "–" : formatRate(props.rate)}
      <small>{formatBytes(props.total)}</small>
    </td>
  );
}
