import type { SharePerson } from "../../../gateway/view.ts";
import { formatMoment } from "../../shared/format.ts";
import { Card, Empty, Facts, ListLine } from "./parts.tsx";
import type { ViewProps } from "./props.ts";

/** Who has the shared card and who waits; nothing where the card isn't shared. */
export function ShareCard({ screen, language, m }: ViewProps) {
  const { share } = screen.status;
  if (share === undefined) return null;
  const { holder, waiting, waitingInAll } = share;
  const more = waitingInAll - waiting.length;
  const button = holder && (
    <button
      type="button"
      class="quiet"
      data-action="revoke"
      disabled={screen.revoking === "running"}
    >
      {m.share.revoke}
    </button>
  );
  return (
    <Card id="share" title={m.share.title} aside={button}>
      {holder === undefined ? <Empty text={share.open ? m.share.free : m.share.closed} /> : (
        <Facts
          facts={[
            { name: m.share.holder, value: `${holder.label} (${m.share.way[holder.way]})` },
            { name: m.share.since, value: formatMoment(holder.since, language) },
            { name: m.share.until, value: formatMoment(holder.until, language) },
          ]}
        />
      )}
      {screen.revoking === "failed"
        ? <p class="problem" role="alert">{m.share.revokeFailed}</p>
        : null}
      {waiting.length === 0 ? null : (
        <div>
          <h3 class="queue-title">{m.share.waiting}</h3>
          <ol class="queue">
            {waiting.map((one) => (
              <WaitingLine key={`${one.terminal} ${one.since}`} one={one} language={language} />
            ))}
          </ol>
          {more > 0 ? <p class="soft">{m.share.more(more)}</p> : null}
        </div>
      )}
      <p class="soft">{m.share.limits(share.idleMs / 1000, share.hardMs / 1000)}</p>
    </Card>
  );
}

function WaitingLine(
  { one, language }: { one: SharePerson; language: ViewProps["language"] },
) {
  return <ListLine name={one.label} value={formatMoment(one.since, language)} class="soft" />;
}
