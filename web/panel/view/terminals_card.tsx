import { formatBytes, formatRate, formatTime } from "../../shared/format.ts";
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
                  <th scope="col">{t.address}</th>
                  <th scope="col" class="number">{t.download}</th>
                  <th scope="col" class="number">{t.upload}</th>
                  <th scope="col">{t.lease}</th>
                </tr>
              </thead>
              <tbody>
                {terminals.map((terminal) => {
                  const rate = screen.rates.get(terminal.address);
                  return (
                    <tr key={terminal.address}>
                      <th scope="row">{terminal.name === "" ? "–" : terminal.name}</th>
                      <td>
                        <code>{terminal.address}</code>
                        <small>{terminal.mac}</small>
                      </td>
                      <Traffic rate={rate?.down} total={terminal.receivedBytes} />
                      <Traffic rate={rate?.up} total={terminal.sentBytes} />
                      <td>
                        {terminal.leaseUntil === undefined
                          ? t.fixed
                          : formatTime(terminal.leaseUntil, language)}
                      </td>
                    </tr>
                  );
                })}
              </tbody>
            </table>
          </div>
        )}
    </Card>
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
