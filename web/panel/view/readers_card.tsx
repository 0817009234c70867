import { Card, Empty } from "./parts.tsx";
import type { ViewProps } from "./props.ts";

export function ReadersCard({ screen, m }: ViewProps) {
  const { readers } = screen.status;
  return (
    <Card id="readers" title={m.readers.title}>
      {readers.length === 0 ? <Empty text={m.readers.none} /> : (
        <ul class="list">
          {readers.map((reader) => (
            <li key={reader.name}>
              <span>{reader.name}</span>
              <span class={`badge card-${reader.card}`}>{m.readers.card[reader.card]}</span>
            </li>
          ))}
        </ul>
      )}
    </Card>
  );
}
