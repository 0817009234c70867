import { Card, Empty, ListLine } from "./parts.tsx";
import type { ViewProps } from "./props.ts";

/** Packets that the switch dropped, the most frequent reason first. */
export function DropsCard({ screen, language, m }: ViewProps) {
  const drops = Object.entries(screen.status.drops).filter(([, packets]) => packets > 0)
    .sort(([, a], [, b]) => b - a);
  return (
    <Card id="drops" title={m.drops.title}>
      {drops.length === 0 ? <Empty text={m.drops.none} /> : (
        <ul class="list">
          {drops.map(([reason, packets]) => (
            <ListLine
              key={reason}
              name={m.drops.reason[reason] ?? reason}
              value={packets.toLocaleString(language)}
              class="number"
            />
          ))}
        </ul>
      )}
      <p class="soft caption">{m.drops.note}</p>
    </Card>
  );
}
